"""Parts of an HTTP answer that every route shares, without Flask.

Who may ask, bodies, headers, replies and problem documents.
"""
