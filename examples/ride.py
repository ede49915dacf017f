"""Ask the service how long one ride takes: the smallest client there is.

python examples/ride.py
python examples/ride.py --url http://127.0.0.1:9696/predict/ride
"""

import argparse
import sys

import requests

RIDE = {"PULocationID": 74, "DOLocationID": 75, "trip_distance": 2.5}  # two zones, miles
TIMEOUT_S = 10


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    what, _, examples = (__doc__ or "").partition("\n\n")
    line = argparse.ArgumentParser(
        prog="python examples/ride.py",
        description=what,
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument(
        "--url",
        default="http://127.0.0.1:9696/predict/ride",
        help="the model's address (default: %(default)s)",
    )
    return line


def main() -> int:
    """Print the answer and return 0, or say on stderr what is wrong and return 1."""
    url = parser().parse_args().url
    try:
        response = requests.post(url, json=RIDE, timeout=TIMEOUT_S)
        if response.ok:
            print(response.json())
            return 0
        print(explain(response), file=sys.stderr)
    except requests.ConnectionError:
        print(f"nothing answers at {url}: start the service with `make run`", file=sys.stderr)
    except requests.RequestException as error:
        print(f"no usable answer from {url}: {error}", file=sys.stderr)
    return 1


def explain(response: requests.Response) -> str:
    """The service's reasons in plain lines; only the status if the answer is no problem+json."""
    lines = [f"{response.status_code} {response.reason}"]
    if response.headers.get("Content-Type", "").startswith("application/problem+json"):
        problem = response.json()
        lines[0] += f": {problem.get('detail') or problem.get('title')}"
        lines += [f"  {error['field']}: {error['problem']}" for error in problem.get("errors", [])]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
