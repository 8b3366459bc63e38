"""The parts of `tools/make_demo_capture.py`: the network, the plan, the stage, the figures."""
