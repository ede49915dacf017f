"""Between gunicorn and the app: one request's way through a worker.

    socket --protocol.py--> ASGI --front.py--> a record alone: answered at once, in the event loop
                                          `--> bridge.py: anything else, by Flask, in a thread
           worker.py: accepts, ends what is idle or too slow, stops without losing anything

Both ways end in `api.predictions.reply`, so both give the same answer to the byte.
"""
