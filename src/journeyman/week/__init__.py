"""A week on the job: a model serves a shop's customers by day, is corrected, and learns by night.

Always holds: importing this loads no torch.

Knows all rooms of the house; no room knows it but the command line.
"""
