"""The service's OpenAPI 3.1 document, made from what the code already says.

The records, the answers to their examples, the errors, the routes' access. A new model file appears
in it by existing.

    components.py  records, answers, problems, headers, security schemes
    operations.py  one operation: what is sent, what is answered, which problems may come
    document.py    the whole: each protocol's own operations, joined and secured
"""
