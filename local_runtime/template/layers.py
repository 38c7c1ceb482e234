"""AWS::Serverless::LayerVersion: which directories stand on the functions' import path."""

from __future__ import annotations

from pathlib import Path

from local_runtime.template.fields import Fields, Reading
from local_runtime.template.resources import LAYER, Resource
from local_runtime.template.tree import Node

_WITHOUT_EFFECT = frozenset(
    ("CompatibleArchitectures", "CompatibleRuntimes", "Description", "LayerName", "LicenseInfo", "RetentionPolicy")
)


def read_layer(resource: Resource, reading: Reading) -> Path | None:
    """The directory on the import path: ContentUri's `python`, or, when ContentUri is a package itself, the one it lies in.

    In the cloud a layer's `python` directory is on the path; packaging puts the package there.
    """
    fields = Fields(resource.properties, reading, "layer")
    node = fields.node("ContentUri", required=True)
    uri = None if node is None else reading.value(node)
    fields.without_effect(_WITHOUT_EFFECT)
    fields.finish()
    if node is None or uri is None:
        return None
    content = (reading.directory / str(uri)).resolve()
    if not isinstance(uri, str) or not content.is_dir():
        reading.report.add(node, f"there is no directory {uri}", "a path from the template's directory")
    elif (content / "python").is_dir():
        return content / "python"
    elif (content / "__init__.py").is_file():
        return content.parent
    else:
        reading.report.add(node, f"nothing in {uri} can be imported", "a package, or a directory with `python` in it")
    return None


def read_layer_references(fields: Fields, reading: Reading) -> None:
    """A function's Layers, each a `!Ref` of a layer of this template."""
    layers = fields.node("Layers")
    for item in layers.items if layers else ():
        name, argument = item.intrinsic() or ("", item)
        target = reading.resources.get(argument.text, Node(None))
        if name != "Ref" or target.member("Type").text != LAYER:
            reading.report.add(item, "is no layer of this template", f"!Ref of an {LAYER}")
