"""The jobs whose results the report rests on.

Each is declared here and nowhere else: `reports.reproduce` runs them from here, and the report says
from here how to make what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from simulate.jobs.folder import RUN
from simulate.scaling import Scaling
from train.analyse import Analyse
from train.benchmark import Benchmark
from train.certify import Certify
from train.organisms import Organisms
from train.run import Run
from train.study import Study
from train.survey import Survey
from train.unembedding import Unembedding


@dataclass(frozen=True)
class Job:
    """A command and the folder of its results, a path below the folder of all results.

    title: what its figures are of, for people.
    options: of every run. quick: further ones of a quick run. reads: the job whose folder is the
    command's first argument. resumes: whether it goes on where an interrupted run stopped. checked:
    whether it leaves a verdict; its exit code is then 1 where a check failed.
    """

    folder: str
    module: str
    title: str
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    reads: Job | None = None
    resumes: bool = False
    checked: bool = False

    def arguments(self, results: str, quick: bool = False) -> list[str]:
        """What follows `python` on the command line; results is the folder of all results."""
        read = [] if self.reads is None else [f"{results}/{self.reads.folder}"]
        options = [*self.options, *(self.quick if quick else ())]
        return ["-m", self.module, *read, *options, "--out", f"{results}/{self.folder}"]

    def command(self, results: str) -> str:
        """The command line that makes the results."""
        return " ".join(["python", *self.arguments(results)])

    def ended(self, results: Path) -> bool:
        """Whether its results are there: run.json is what a job writes last."""
        return (results / self.folder / RUN).is_file()


QUICK = ("--quick",)
SCALING = Job(
    "scaling",
    Scaling.MODULE,
    "The main job: theory against simulation",
    quick=QUICK,
    resumes=True,
    checked=True,
)
STUDY = Job(
    "study",
    Study.MODULE,
    "Trained networks of the presets",
    quick=QUICK,
    resumes=True,
    checked=True,
)
WIDTH = Job(
    "width",
    Study.MODULE,
    "Trained networks on the width law",
    ("--sizes", "width"),
    quick=QUICK,
    resumes=True,
    checked=True,
)
RECIPE = replace(
    WIDTH, folder="recipe", title="A recipe that is off by two", options=("--sizes", "recipe")
)
VOCABULARY = replace(
    WIDTH,
    folder="vocabulary",
    title="A language model's vocabulary on the width law",
    options=("--sizes", "vocabulary"),
)
SURVEY = Job(
    "survey",
    Survey.MODULE,
    "Many small networks, predicted and taken apart",
    quick=QUICK,
    resumes=True,
    checked=True,
)
SOURCE_NETWORK = Job(
    "networks/source", Run.MODULE, "The source's network", ("--preset", "source"), resumes=True
)
COMPLEMENT_NETWORK = Job(
    "networks/complement",
    Run.MODULE,
    "The complement network",
    ("--preset", "complement"),
    resumes=True,
)
_PRINTED = ("--inputs", "100000", "--formats", "svg")
SOURCE_ANALYSIS = Job(
    "analysis/source",
    Analyse.MODULE,
    "Analysis of the source's network",
    _PRINTED,
    reads=SOURCE_NETWORK,
)
COMPLEMENT_ANALYSIS = Job(
    "analysis/complement",
    Analyse.MODULE,
    "Analysis of the complement network",
    _PRINTED,
    reads=COMPLEMENT_NETWORK,
)
# by the weights alone: to search all 22 million inputs takes some eleven minutes of one core
_NO_SEARCH = ("--most-inputs", "0")
SOURCE_CERTIFICATE = Job(
    "certificates/source",
    Certify.MODULE,
    "Certificate of the source's network",
    _NO_SEARCH,
    reads=SOURCE_NETWORK,
)
FINISHED_CERTIFICATE = Job(
    "certificates/finished",
    Certify.MODULE,
    "Certificate of that network, rounded to its masks",
    ("--finish", "sharp", *_NO_SEARCH),
    reads=SOURCE_NETWORK,
)
ORGANISMS = Job("organisms", Organisms.MODULE, "Networks whose truth is known")
BENCHMARK = Job(
    "benchmark",
    Benchmark.MODULE,
    "Methods that look for structure, scored against known truth",
    quick=QUICK,
    resumes=True,
    checked=True,
)

# in the order in which they can be run
JOBS = (
    SCALING,
    STUDY,
    WIDTH,
    VOCABULARY,
    RECIPE,
    SURVEY,
    SOURCE_NETWORK,
    COMPLEMENT_NETWORK,
    SOURCE_ANALYSIS,
    COMPLEMENT_ANALYSIS,
    SOURCE_CERTIFICATE,
    FINISHED_CERTIFICATE,
    ORGANISMS,
    BENCHMARK,
)

# models that have to be fetched first: their results come with the project (make real-models), and
# a claim says what they found where their results are there
RECOGNISER = Job("real_models/recogniser", Unembedding.MODULE, "Readout of a text recogniser")
SMOLLM2 = Job("real_models/smollm2", Unembedding.MODULE, "Readout of a language model")
REAL_MODELS = (RECOGNISER, SMOLLM2)
