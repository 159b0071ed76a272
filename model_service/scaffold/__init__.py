"""`model-service new`: a model package from nothing, from a sample of rows, or around a trained model.

    wish ── planning.py ──> plan ── building.py ──> a package that serves

names.py         how a package may be called
sample.py        a file of sample rows: columns of cells
made_up.py       a made-up one, for who has none
drafting.py      a column -> the draft of a field: type, range, values, what was guessed
pickled.py       opens a pickle, in a process of its own; nothing imports it
graphs.py        opens a graph and runs it once, likewise
conversion.py    makes a graph of a Keras file or a PyTorch program, likewise
converting.py    asks for that
graph_plans.py   what a graph and a sample say together: its inputs
graph_outputs.py its outputs
adopting.py      what a trained pipeline and a sample say together
planning.py      what was asked for -> a plan
plan.py          the plan: everything that is known before files are written
layouts.py       which files a package has; how a template becomes a file
source.py        drafts -> Python source, every value as a literal
card.py          the model card, with measured figures alone
building.py      a plan -> files, artifacts, proof
staging.py       a package appears whole or not at all
children.py      programs in processes of their own
proving.py       the program that holds a package to what it owes
installing.py    pip, editable, without a network
config_entry.py  the line in config.yaml, with whatever else stands there as it is

Nothing of a sample is ever run: names and cells become literals in the source, and sentences repeat no cell.
"""
