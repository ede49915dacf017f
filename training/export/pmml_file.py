"""A model as PMML 4.4: a dictionary with the record's limits, derived features, and the model.

A regression gives the service's score; a classification the probability of each class, of two of
them "1" is the positive one. What the service would refuse gives nothing. A model of several parts
is a chain: each part gives a sum, and the last model makes probabilities of the sums.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET  # written, never read
from collections.abc import Mapping
from typing import Any, Final

from scoring.record import RecordReader
from scoring.scorers.linear import Linear
from scoring.scorers.trees import Trees
from scoring.values.shares import linked
from training.export.form import Answer, Form
from training.export.pmml_fields import (
    Derived,  # fmt: skip
    Element,
    add,
    add_data_field,
    add_inner_schema,
    add_mining_schema,
    apply,
    constant,
    text_of,
    unused,
)
from training.export.pmml_trees import add_trees
from training.export.scripts import title_of
from training.export.trials import trials

FILE: Final = "model.pmml"
_NAMESPACE: Final = "http://www.dmg.org/PMML-4_4"
_VERIFIED: Final = 20  # records
_PRECISION: Final = 1e-6  # relative, and absolute near zero
_OF_TWO: Final = ("0", "1")  # the names of two classes, the positive one last


def pmml_files(form: Form) -> dict[str, bytes]:
    """Return the file by its name. Raises ExportError where XML cannot hold a category, or a tree
    is too deep."""
    root = Element("PMML", {"xmlns": _NAMESPACE, "version": "4.4"})
    header = add(root, "Header", description=title_of(form))
    add(header, "Application", name="training.export")
    _Writer(form, root).write()
    made = io.BytesIO()
    ET.indent(root, "")
    ET.ElementTree(root).write(made, encoding="UTF-8", xml_declaration=True)
    return {FILE: made.getvalue() + b"\n"}


def labels_of(form: Form) -> tuple[str, ...]:
    """Return the names of the classes that the file tells apart; none of a regression."""
    return form.classes or (_OF_TWO if form.model.task == "classification" else ())


class _Writer:
    def __init__(self, form: Form, root: Element) -> None:
        self.form, self.root = form, root
        self.labels = labels_of(form)
        self.inputs = [one.name for one in form.inputs]
        answers = [one.name for one in form.answers]
        self.target = unused(form.model.target, [*self.inputs, *answers, "score"])
        self.function = "classification" if self.labels else "regression"

    def write(self) -> None:
        dictionary = add(self.root, "DataDictionary")
        for one in self.form.inputs:
            add_data_field(dictionary, one)
        self._add_field(dictionary, "DataField", self.target, text=bool(self.labels))
        for label in self.labels:
            add(dictionary[-1], "Value", value=label)
        transformed = add(self.root, "TransformationDictionary")
        self.derived = Derived(self.form, transformed, [*self.inputs, self.target])
        self._verify(self._model())

    def _model(self) -> Element:
        form, parts = self.form, self.form.parts
        if all(isinstance(part, Linear) for part in parts) and form.link != "logistic":
            model = self._start("RegressionModel")
            link = parts[0].table.link if isinstance(parts[0], Linear) else ""
            normalised = ("softmax" if form.classes else
                          {"identity": "none", "logistic": "logit"}[link])  # fmt: skip
            model.set("normalizationMethod", normalised)
            self._outputs(model)
            for place, part in enumerate(parts):
                assert isinstance(part, Linear)  # noqa: S101  # for the type checker
                label = self.labels[place] if form.classes else _OF_TWO[1]
                self._table(model, part, label if self.labels else None)
            if self.labels and not form.classes:
                add(model, "RegressionTable", intercept=0.0, targetCategory=_OF_TWO[0])
            return model
        if not self.labels:
            [part] = parts
            assert isinstance(part, Trees)  # noqa: S101  # for the type checker
            model = self._start("MiningModel")
            self._outputs(model)
            add_trees(model, form, part, self.derived.names, self.target)
            return model
        return self._chain()

    def _start(self, tag: str) -> Element:
        model = add(self.root, tag, functionName=self.function)
        add_mining_schema(model, self.form.inputs, self.target)
        return model

    def _chain(self) -> Element:
        """Add a model for each part, and one that makes probabilities of their sums."""
        form = self.form
        chain = self._start("MiningModel")
        self._outputs(chain)
        segments = add(chain, "Segmentation", multipleModelMethod="modelChain")
        taken = [*self.inputs, self.target, *self.derived.names.values()]
        totals = [unused(f"sum_{place}", taken) for place, _ in enumerate(form.parts)]
        for part, total in zip(form.parts, totals, strict=True):
            segment = add(segments, "Segment")
            add(segment, "True")
            tag = "RegressionModel" if isinstance(part, Linear) else "MiningModel"
            model = add(segment, tag, functionName="regression")
            add_inner_schema(model, form.inputs)
            output = self._add_field(add(model, "Output"), "OutputField", total, text=False)
            output.set("feature", "predictedValue")
            if isinstance(part, Linear):
                model.set("normalizationMethod", "logit")
                self._table(model, part, None)
            else:
                add_trees(model, form, part, self.derived.names, None)
        segment = add(segments, "Segment")
        add(segment, "True")
        last = add(segment, "RegressionModel", functionName="classification")
        schema = add(last, "MiningSchema")
        for total in totals:
            add(schema, "MiningField", name=total)
        add(schema, "MiningField", name=self.target, usageType="target")
        if form.classes:
            last.set("normalizationMethod", "softmax" if form.link == "softmax" else "simplemax")
            tables = [(label, 0.0, total, 1.0)
                      for label, total in zip(self.labels, totals, strict=True)]  # fmt: skip
        else:
            [part], [total] = form.parts, totals
            assert isinstance(part, Trees)  # noqa: S101  # for the type checker
            logistic = part.header.link == "logistic"
            last.set("normalizationMethod", "logit" if logistic else "none")
            other = (0.0, 0.0) if logistic else (1.0, -1.0)
            tables = [(_OF_TWO[1], 0.0, total, 1.0), (_OF_TWO[0], other[0], total, other[1])]
        for label, intercept, name, weight in tables:
            table = add(last, "RegressionTable", intercept=intercept, targetCategory=label)
            if weight:
                add(table, "NumericPredictor", name=name, coefficient=weight)
        return chain

    def _table(self, model: Element, part: Linear, label: str | None) -> None:
        table = add(model, "RegressionTable", intercept=part.intercept, targetCategory=label)
        names = self.derived.names
        for name, weight in part.table.numbers.items():
            if name in names:
                add(table, "NumericPredictor", name=names[name], coefficient=weight)
        for name, known in part.table.categories.items():
            for value, weight in known.items() if name in names else ():
                add(table, "CategoricalPredictor", name=names[name], value=value,
                    coefficient=weight)  # fmt: skip

    def _outputs(self, model: Element) -> None:
        output = add(model, "Output")
        if self.form.classes:
            for label in self.labels:
                self._probability(output, f"probability({label})", label)
        else:
            field = self._add_field(output, "OutputField", "score", text=False)
            field.set("feature", "probability" if self.labels else "predictedValue")
            if self.labels:
                field.set("value", _OF_TWO[1])
        for answer in self.form.answers:
            self._answer(output, answer)

    def _answer(self, output: Element, answer: Answer) -> None:
        if answer.kind == "probabilities":
            for label in self.labels:
                self._probability(output, f"{answer.name}.{label}", label)
            return
        if answer.kind == "most_likely":
            field = self._add_field(output, "OutputField", answer.name, text=True)
            field.set("feature", "predictedValue")
            return
        if self.form.classes:  # the largest probability
            field = self._add_field(output, "OutputField", answer.name, text=False)
            field.set("feature", "probability")
            return
        if answer.name == "score":
            return
        field = self._add_field(output, "OutputField", answer.name, text=False)
        field.set("feature", "transformedValue")
        if answer.kind == "score":
            add(field, "FieldRef", field="score")
            return
        if answer.kind == "at_least":
            field.set("dataType", "boolean")
            field.set("optype", "categorical")
        made = apply(field, "max" if answer.kind == "not_negative" else "greaterOrEqual")
        add(made, "FieldRef", field="score")
        constant(made, answer.threshold)

    def _probability(self, output: Element, name: str, label: str) -> None:
        field = self._add_field(output, "OutputField", name, text=False)
        field.set("feature", "probability")
        field.set("value", text_of(label))

    def _verify(self, model: Element) -> None:
        """Add records and what the service makes of them, for a reader to compare."""
        form = self.form
        reader = RecordReader(form.model.record)
        records = trials(form, _VERIFIED)
        said = [f"probability({label})" for label in self.labels] if form.classes else ["score"]
        columns = {name: f"field{place}" for place, name in enumerate([*self.inputs, *said])}
        checks = add(model, "ModelVerification", recordCount=len(records), fieldCount=len(columns))
        fields = add(checks, "VerificationFields")
        for name, column in columns.items():
            close = name in said
            add(fields, "VerificationField", field=name, column=column,
                precision=_PRECISION if close else None,
                zeroThreshold=_PRECISION if close else None)  # fmt: skip
        table = add(checks, "InlineTable")
        for values in records:
            record = reader.one(values)
            found = record.model_dump(mode="json")
            features = form.model.features(record)
            scores = [part.one(features)[0] for part in form.parts]
            if form.classes:
                scores = linked(scores, form.link)  # type: ignore[arg-type]  # one of several parts
            row: Mapping[str, Any] = {**found, **dict(zip(said, scores, strict=True))}
            line = add(table, "row")
            for name, column in columns.items():
                if row[name] is not None:
                    add(line, column).text = text_of(row[name])

    @staticmethod
    def _add_field(parent: Element, tag: str, name: str, *, text: bool) -> Element:
        return add(
            parent, tag, name=name, optype="categorical" if text else "continuous",
            dataType="string" if text else "double",
        )  # fmt: skip
