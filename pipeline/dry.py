"""What a run would do, and why, without doing it."""

from __future__ import annotations

from dataclasses import replace

from pipeline.champions import champion_of
from pipeline.ingest import parts_of
from pipeline.reasons import plan_of, reason
from pipeline.run import Asked, Steps, files, told_apart
from pipeline.steps import NAMES, Step, place, result_of


def lines(asked: Asked) -> list[str]:
    """Return a line for each step. Nothing is written; months that are not there are downloaded, as
    only they say what is new. Raises as `run` does where it would do nothing."""
    inputs, out = told_apart(asked, files(asked))
    why = reason(asked, inputs, plan_of(asked, inputs))
    why = f"{why}; {out}" if out else why
    champion = champion_of(asked.model, asked.environ)
    found = [f"would run: {why}", *(f"  with {one['file']}" for one in inputs)]
    steps = Steps(asked, inputs, champion)
    first = NAMES.index(asked.first) if asked.first else len(NAMES)

    def line(step: Step) -> bool:
        """Tell of a step and return whether it is done."""
        result = result_of(asked.runs, step)
        done = result is not None and NAMES.index(step.name) < first
        what = f"done before: {result['said']}" if result and done else "would run"
        found.append(f"{step.name}: {what}")
        return done

    went = line(steps.ingest())
    told = result_of(asked.runs, steps.ingest())
    if went and told:
        steps = replace(steps, parts=parts_of(told, place(asked.runs, steps.ingest())))
        went = line(steps.check())
        trained = result_of(asked.runs, steps.train())
        if line(steps.train()) and trained and went:
            artifact = place(asked.runs, steps.train()) / asked.model.name
            went = line(steps.gate(artifact, trained))
            went = line(steps.register(artifact, trained)) and went
    told_of = {text.partition(":")[0] for text in found}
    waits = asked.config.promote.approve and not asked.approve
    for name in NAMES:
        if name not in told_of:
            last = "would wait for --approve" if name == "promote" and waits else "would run"
            found.append(f"{name}: {last}")
    after = NAMES[NAMES.index(asked.until) + 1 :] if asked.until else ()
    return [text for text in found if text.partition(":")[0] not in after]
