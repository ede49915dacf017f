"""Between gunicorn and the app: one request's way through a worker.

    socket --protocol.py--> a small record of ours, whole: front.at_once, in the event loop
                        `--> anything else: ASGI --front.py--> bridge.py: Flask, in a thread
           worker.py: accepts, ends what is idle or too slow, stops without losing anything

Both ways end in `api.predictions.reply`, so both give the same answer to the byte.
"""
