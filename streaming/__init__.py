"""Score a stream of events: a worker that reads from a broker, predicts, and writes predictions.

cli.py  options.py  settings.py   the command; what the environment says
addresses.py  interface.py        a broker's address; what a source and a sink are
brokers/                          one file a broker, imported where an address names it
worker.py  delivery.py            the loop; what makes a batch final: at least once, or exactly once
envelope.py                       from an event to its record, id and time
outcomes.py  letters.py           from a batch to predictions and dead letters
journal.py                        what was at hand when the process died: poison events
meter.py  health.py               metrics, and the port that shows them
tracing.py                        a span for each event
topic.py                          for other rooms: a topic from given places to its end
following.py                      which version of the model predicts
"""
