"""Why an answer has its score, as JSON.

`python -m flink_job.explain --message-id …` explains an outcome in MongoDB, by the scorer that gave it. Without, the
texts are read from its input, as JSON: `{"question": "…", "references": ["…"], "answer": "…"}`.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cotejo_native import Scorer, words
from pymongo.errors import ConnectionFailure, PyMongoError

from flink_job.config import Config, InvalidSettingError
from flink_job.database import Database, NewerDataError, references_of
from flink_job.fit_scorer import fit, shipped_model


class CannotExplainError(Exception):
    """There is nothing to explain, or nothing to explain it by."""


def explain_outcome(database: Database, message_id: str) -> dict[str, Any]:
    """Explains the outcome of a request.

    Raises
    ------
    CannotExplainError
        It has none, or one without a score, or its scorer is not known.
    """
    outcome = database.result(message_id)
    if outcome is None:
        raise CannotExplainError(f"there is no outcome of {message_id}")
    if outcome.get("forgotten_at") is not None:
        raise CannotExplainError(f"the texts of {message_id} were forgotten")
    if outcome.get("score") is None or outcome.get("best_answer") is None:
        raise CannotExplainError(f"{message_id} was not scored: its verdict is {outcome.get('verdict')}")
    artefact = database.scorer(outcome["scorer"]) if outcome.get("scorer") else None
    if artefact is None:
        raise CannotExplainError(f"MongoDB has no scorer {outcome.get('scorer')}, which scored {message_id}")
    question = f"{outcome.get('title') or ''}\n{outcome.get('content') or ''}"
    known = {name: outcome.get(name) for name in ("verdict", "threshold", "attempts", "source", "model")}
    explained = explain(Scorer(artefact), question, references_of(outcome), outcome["llm_answer"])
    return {"message_id": message_id, **known, **explained}


def explain_texts(database: Database, question: str, references: Sequence[str], answer: str) -> dict[str, Any]:
    """Explains a score of today's scorer; without a stack, of one that knows no corpus."""
    try:
        artefact = database.scorer()
    except NewerDataError:
        raise
    except PyMongoError:
        artefact = None
    explained = explain(Scorer(artefact or fit([], shipped_model()).text), question, references, answer)
    return {**explained, "knows_corpus": artefact is not None}


def read_texts(text: str) -> tuple[str, list[str], str]:
    """Question, references and answer, as they are given to the tool.

    Raises
    ------
    CannotExplainError
        These are no such texts, or a reference has no words that an answer could be compared with.
    """
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    match given:
        case {"question": str(question), "references": [_, *_] as references, "answer": str(answer)}:
            references = [str(reference) for reference in references]
        case _:
            raise CannotExplainError('needed is {"question": "…", "references": ["…"], "answer": "…"} on the input')
    if not all(words(reference) for reference in references):
        raise CannotExplainError("the reference has no words; allowed is a text that an answer can be compared with")
    return question, references, answer


def explain(scorer: Scorer, question: str, references: Sequence[str], answer: str) -> dict[str, Any]:
    """An explanation with all that it is about."""
    texts: Mapping[str, Any] = {"question": question, "references": list(references), "answer": answer}
    return {**texts, "explanation": json.loads(scorer.explain(question, references, answer))}


def main() -> int:
    """Runs the tool and gives its exit code."""
    parser = argparse.ArgumentParser(prog="explain", description="Says why an answer has its score.")
    parser.add_argument("--message-id", help="an outcome in MongoDB; without, texts are read from the input as JSON")
    given = parser.parse_args()
    try:
        config = Config.from_environment(os.environ)
        with Database(config.mongodb_uri, config.mongodb_database, patience_ms=2000) as database:
            if given.message_id:
                explained = explain_outcome(database, given.message_id)
            else:
                explained = explain_texts(database, *read_texts(sys.stdin.read()))
    except ConnectionFailure:
        # Its own text lists every server that was tried.
        print("explain: MongoDB does not answer; `make up` starts it.", file=sys.stderr)
        return 1
    except (CannotExplainError, InvalidSettingError, PyMongoError, ValueError) as error:
        print(f"explain: {error}", file=sys.stderr)
        return 1
    print(json.dumps(explained, ensure_ascii=False, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
