"""The rivals of the metric rule, each as a policy: a few functions over seats."""
