"""A model in another format: `python -m training.export NAME --to FORMAT`.

    __main__.py     the command
    form.py         what every format is written from: inputs, features, parts, answers
    inputs.py       a record's fields as inputs
    trace.py        a model's `features` as what joins and hands on fields
    answers.py      a model's `answer` as what is made of its score
    reading.py      an artifact as such a form, tried against the model's own code
    trials.py       records to try an export on
    formats.py      the formats by name, with what each can hold
    agreement.py    whether what a program answers is what the service does
    package.py      the folder: model, signature, golden records, digests, and the proof
    spec.py, scripts.py    one file of Python or JavaScript that needs nothing else
    c_file.py, c_words.py  the same of C
    dialects.py, sql_*.py    one SELECT and a table of weights
    skops_pair.py   the pair itself, as skops keeps it
    onnx_*.py       a graph that takes the record, and its judge
    pmml_*.py       a document that takes the record, and its judge
    attach.py       exports beside a version of the registry
    judges.py, databases.py    the programs that score with those files

An export takes the record, not the row of columns that the estimator has: joined categories, and
those that training never saw, are inside it.
"""
