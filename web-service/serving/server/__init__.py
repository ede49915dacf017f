"""Between gunicorn and the app.

One request, from the socket inwards:

    worker.py: the process; accepts connections, stops without losing one
      connection.py: HTTP/1.1 over the parser (gunicorn_api.py, framing.py, request_body.py)
        asgi.py: try_fast_path, in the event loop
            or __call__ -> wsgi_executor.py: Flask, in a thread
          serving/http/reply.py: the same answer from both
          request_recorder.py: counters, access_log.py, tracing.py
      connection.py: the answer's bytes (messages.py), keep-alive or a lingering close

tls.py and options.py are asked by gunicorn.conf.py before there is a worker.
"""
