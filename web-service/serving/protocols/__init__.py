"""One file a protocol: its routes, the form of its bodies and answers, and its OpenAPI operations.

    predict.py   POST /predict, the service's own
    mlflow.py    POST /invocations, as MLflow's scoring server and SageMaker have it
    v2.py        the Open Inference Protocol
    lines.py     bodies of lines: CSV and JSON lines
    tables.py    rows and columns as records, shared by them

Other people's forms are only translated to records here; what a record may hold is decided by the
reader of `scoring/record.py`.
"""
