"""Whether rattler-build can read the conda recipe, and what it makes of it for each platform; for `make lint-release`.

Nothing is fetched or built: the names of the packages are those that conda's solver would be asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

import tomllib
from rattler_build import PlatformConfig, RenderConfig, Stage0Recipe, VariantConfig

RECIPE = Path(__file__).with_name("recipe.yaml")
ROOT = RECIPE.parents[2]
PLATFORMS = ("linux-64", "linux-aarch64")

# What the channel that builds it says; the compilers' versions are its own.
VARIANT = {
    "python_min": ["3.10"],
    "c_compiler": ["gcc"],
    "c_stdlib": ["sysroot"],
    "rust_compiler": ["rust"],
}


def main() -> int:
    recipe = Stage0Recipe.from_file(RECIPE)
    wrong = []
    for platform in PLATFORMS:
        config = RenderConfig(platform=PlatformConfig(target_platform=platform))
        variants = recipe.render(VariantConfig(VARIANT), config)
        if len(variants) != 1:
            wrong.append(f"{platform}: {len(variants)} packages instead of one")
        for variant in variants:
            made = variant.recipe.to_dict()
            print(f"{platform}: {made['package']['name']} {made['package']['version']}")
            wrong += [f"{platform}: {difference}" for difference in differences(made)]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def differences(made: dict) -> list[str]:
    """Where the recipe and the project say different things."""
    found = []
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    if made["package"]["version"] != version:
        found.append(f"the version is {made['package']['version']}, and {version} in Cargo.toml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {one.replace(" ", "") for one in project["dependencies"]}
    needed.add(f"python{project['requires-python']}")
    listed = {one.replace(" ", "") for one in made["requirements"]["run"]}
    for one in sorted(needed ^ listed):
        found.append(
            f"{one} is needed by {'pyproject.toml' if one in needed else 'the recipe'} alone"
        )
    return found


if __name__ == "__main__":
    sys.exit(main())
