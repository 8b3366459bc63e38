"""Where crypto runs: placement rules over arrays indexed by SA, and the cost analysis."""
