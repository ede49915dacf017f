"""What the image is made of, and what is known to be wrong with it.

python -m deploy.supplychain audit | sbom        (make audit, make sbom)

lock.py       Pipfile.lock -> the requirements of the image, and what in it has no hash
audit.py      these requirements -> known vulnerabilities; our code -> bandit's findings
sbom.py       these requirements and what an image holds -> a CycloneDX document
image.py      an image -> its packages, Python's and Debian's
"""
