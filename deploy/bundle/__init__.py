"""The bundle for Elastic Beanstalk: made, checked without AWS, rehearsed behind a real nginx.

python -m deploy.bundle build | verify | rehearse        (make eb-bundle, make eb-verify)

build.py      the tree -> one zip, the same bytes every time
verify.py     the zip -> every reason why the platform would refuse it, or serve it wrongly
options.py    the platform's options that we know: namespaces, names, values
rehearsal.py  the zip -> an image behind nginx as the platform sets it up, and a deployment
"""
