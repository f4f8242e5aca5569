"""Writes `messages.py`: the messages the job reads and writes, as Python types.

Their one definition is in Rust; `contracts/schema/` is generated from it, and this file from there.
"""

import json
from pathlib import Path

from datamodel_code_generator import generate
from datamodel_code_generator.enums import DataModelType, InputFileType
from datamodel_code_generator.format import Formatter, PythonVersion
from datamodel_code_generator.parser import LiteralType

MESSAGES = ("LlmResponse", "RegenerationRequest", "ValidatedResponse")
SCHEMAS = Path(__file__).parent.parent / "contracts" / "schema"
OUTPUT = Path(__file__).parent / "messages.py"


def one_schema(names: tuple[str, ...], folder: Path) -> dict[str, object]:
    """The messages' schemas as one, so that what they share is generated once."""
    definitions: dict[str, object] = {}
    for name in names:
        schema = json.loads((folder / f"{name}.schema.json").read_text("utf-8"))
        schema.pop("$schema")
        definitions |= schema.pop("$defs", {})
        definitions[name] = schema
    return {"$defs": definitions}


def main() -> None:
    """Generates the types; the same schemas give the same file, byte for byte."""
    generate(
        json.dumps(one_schema(MESSAGES, SCHEMAS)),
        input_file_type=InputFileType.JsonSchema,
        input_filename="contracts/schema",
        output=OUTPUT,
        output_model_type=DataModelType.TypingTypedDict,
        target_python_version=PythonVersion.PY_311,
        use_closed_typed_dict=False,
        use_schema_description=True,
        enum_field_as_literal=LiteralType.All,
        collapse_root_models=True,
        skip_root_model=True,
        disable_timestamp=True,
        formatters=[Formatter.BUILTIN],
    )


if __name__ == "__main__":
    main()
