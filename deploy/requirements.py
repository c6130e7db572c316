"""Prints the packages that pyproject.toml asks for, one a line, with those of the extras that are named.

For the image: packages in a layer of their own. Standard library only.
"""

import sys
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for line in [
    *project["dependencies"],
    *(line for name in sys.argv[1:] for line in project["optional-dependencies"][name]),
]:
    print(line)
