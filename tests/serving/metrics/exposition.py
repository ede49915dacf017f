"""What a scrape says, to look things up in."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


class Scrape:
    """The samples of a text in Prometheus's format. A series that is there twice, which Prometheus
    refuses, is an error."""

    def __init__(self, text: str | bytes) -> None:
        text = text.decode() if isinstance(text, bytes) else text
        self.kinds: dict[str, str] = {}
        self.samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in text_string_to_metric_families(text):
            self.kinds[family.name] = family.type
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, f"{key} is there twice"
                self.samples[key] = sample.value

    def of(self, name: str, **labels: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return the samples of a name that have these labels among theirs."""
        wanted = labels.items()
        return {k: v for (n, k), v in self.samples.items() if n == name and wanted <= set(k)}

    def sum(self, name: str, **labels: str) -> float:
        """Return their sum; 0 where there is none."""
        return sum(self.of(name, **labels).values())

    def values(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Return them by the value of one more label."""
        return {dict(k)[label]: v for k, v in self.of(name, **labels).items()}
