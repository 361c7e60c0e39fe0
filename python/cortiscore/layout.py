"""Where the parts of Cortiscore are, from the folder of this package: in a wheel, below a prefix of `cmake --install`, or in the
source tree with its builds. src/core/layout.h draws them and finds the same from the programs' side."""
import importlib.machinery
import importlib.util
import os
import pathlib

PACKAGE = pathlib.Path(__file__).resolve().parent
MANIFESTS = "share/cortiscore/manifests"
SOURCE = PACKAGE.parents[1] if (PACKAGE.parents[1] / "data_manifests").is_dir() else None
# The package itself in a wheel, the prefix of cmake --install: one of them above this package.
ROOT = None if SOURCE else next((folder for folder in (PACKAGE, *PACKAGE.parents) if (folder / MANIFESTS).is_dir()), None)


def manifests():
    """The folder of manifests, schemas and trees: $CORTISCORE_MANIFESTS, else what is installed, else the source tree's.

    :raises FileNotFoundError: this package was moved away from what belongs to it"""
    if chosen := os.environ.get("CORTISCORE_MANIFESTS"):
        return pathlib.Path(chosen)
    if not SOURCE and not ROOT:
        raise FileNotFoundError(f"{PACKAGE}: found no {MANIFESTS} here or in a folder above, expected an installed package or a source tree. "
                                "Set CORTISCORE_MANIFESTS to the folder of manifests.")
    return SOURCE / "data_manifests" if SOURCE else ROOT / MANIFESTS


def builds():
    """The build folders of a source tree, that of the CUDA build first where there is a driver; none of an installed package."""
    presets = ["cuda", "cpu"] if pathlib.Path("/proc/driver/nvidia/version").exists() else ["cpu"]
    return [SOURCE / "build" / preset for preset in presets] if SOURCE else []


def binary():
    """The program's path: $CORTISCORE_BINARY, else what is installed, else a build's; None where there is none."""
    if chosen := os.environ.get("CORTISCORE_BINARY"):
        return chosen
    places = [ROOT / "bin/cortiscore"] if ROOT else [build / "cortiscore" for build in builds()]
    return next((str(place) for place in places if place.is_file() and os.access(place, os.X_OK)), None)


def compiled_module():
    """The compiled module's file for this Python: of $CORTISCORE_MODULE_DIR, else beside this package's own, else a build's; or None."""
    chosen = os.environ.get("CORTISCORE_MODULE_DIR")
    folders = [pathlib.Path(chosen)] if chosen else [PACKAGE, *(build / "python" for build in builds())]
    files = [folder / f"_cortiscore{suffix}" for folder in folders for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    return next((file for file in files if file.is_file()), None)


def torch_libraries():
    """The folder of this Python's torch libraries, found without loading them; None where there is no torch."""
    found = importlib.util.find_spec("torch")
    return pathlib.Path(found.origin).parent / "lib" if found and found.origin else None
