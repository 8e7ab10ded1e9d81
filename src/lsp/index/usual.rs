//! What people usually import, as data: nothing else tells `pathlib.Path` from `zipfile.Path`.

/// Names that everybody gives to the same thing: what is written, the module that must be there, and the import.
const ALIASES: [(&str, &str, &str); 24] = [
    ("np", "numpy", "import numpy as np"),
    ("pd", "pandas", "import pandas as pd"),
    ("plt", "matplotlib.pyplot", "import matplotlib.pyplot as plt"),
    ("mpl", "matplotlib", "import matplotlib as mpl"),
    ("sns", "seaborn", "import seaborn as sns"),
    ("pl", "polars", "import polars as pl"),
    ("tf", "tensorflow", "import tensorflow as tf"),
    ("jnp", "jax.numpy", "import jax.numpy as jnp"),
    ("nn", "torch.nn", "from torch import nn"),
    ("px", "plotly.express", "import plotly.express as px"),
    ("go", "plotly.graph_objects", "import plotly.graph_objects as go"),
    ("alt", "altair", "import altair as alt"),
    ("xr", "xarray", "import xarray as xr"),
    ("gpd", "geopandas", "import geopandas as gpd"),
    ("nx", "networkx", "import networkx as nx"),
    ("sp", "scipy", "import scipy as sp"),
    ("sp", "sympy", "import sympy as sp"),
    ("sm", "statsmodels.api", "import statsmodels.api as sm"),
    (
        "smf",
        "statsmodels.formula.api",
        "import statsmodels.formula.api as smf",
    ),
    ("pa", "pyarrow", "import pyarrow as pa"),
    ("hv", "holoviews", "import holoviews as hv"),
    ("dd", "dask.dataframe", "import dask.dataframe as dd"),
    ("datetime", "datetime", "from datetime import datetime"),
    ("tqdm", "tqdm.auto", "from tqdm.auto import tqdm"),
];

/// Packages whose names are meant before those of others, the most usual first.
const PACKAGES: [&str; 52] = [
    "numpy",
    "pandas",
    "sklearn",
    "matplotlib",
    "scipy",
    "polars",
    "torch",
    "seaborn",
    "plotly",
    "pathlib",
    "collections",
    "dataclasses",
    "datetime",
    "itertools",
    "functools",
    "typing",
    "re",
    "json",
    "os",
    "sys",
    "math",
    "time",
    "random",
    "statistics",
    "subprocess",
    "shutil",
    "glob",
    "csv",
    "io",
    "logging",
    "asyncio",
    "contextlib",
    "enum",
    "abc",
    "copy",
    "decimal",
    "fractions",
    "string",
    "textwrap",
    "tempfile",
    "urllib",
    "warnings",
    "concurrent",
    "threading",
    "altair",
    "tensorflow",
    "transformers",
    "xarray",
    "statsmodels",
    "sympy",
    "IPython",
    "requests",
];

/// The modules that an alias may stand for, and how each is imported.
pub fn alias(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    ALIASES
        .iter()
        .filter(move |(alias, _, _)| *alias == name)
        .map(|(_, module, import)| (*module, *import))
}

/// The aliases themselves, with the module that each needs, and its import.
pub(super) fn aliases() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    ALIASES.iter().copied()
}

/// Where the package of `module` stands among the usual ones.
pub(super) fn position(module: &str) -> Option<usize> {
    let package = module.split('.').next()?;
    PACKAGES.iter().position(|usual| *usual == package)
}
