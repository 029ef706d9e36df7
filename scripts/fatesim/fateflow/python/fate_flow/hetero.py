"""The jobs of the minimal test: a model on columns that are divided between guest and host.

What is exchanged is what FATE exchanges, in the same turns and through the same rollsites, but in clear text: this is a
STAND-IN, not for data that matters. The numbers are computed by an egg_pair that eggroll starts for the session.

    ids          each side tells the other the hashes of its ids, and both go on with the common ones
    HeteroLR     host: its part of the scores; guest: how far the sum is from the labels; both: a step down
    SecureBoost  guest: gradients; host: its best division; guest: the better one of both (trees of one division)
"""

import hashlib
import math

from fate_flow import federation, models, sessions, tables

MODULES = {"HeteroLR": "hetero_lr", "HeteroSecureBoost": "hetero_secure_boost"}
WITH_MODEL = ("DataTransform", "Intersection", *MODULES)  # modules that make a part of a model
BOOST_RATE = 1.0


def describe(dsl, conf):
    """What a job description wants: a dictionary for run, or nothing when this is not one of these jobs. Raises ValueError
    for one that FATE-Flow would not carry out either."""
    common = conf.get("job_parameters", {}).get("common", {})
    if common.get("job_type") == "predict":
        for key in ("model_id", "model_version"):
            if not common.get(key):
                raise ValueError(f"job_parameters of a prediction have no {key}")
        return {"kind": "predict", "model_id": common["model_id"], "model_version": common["model_version"]}
    components = dsl.get("components") or {}
    module = next((c.get("module") for c in components.values() if c.get("module") in MODULES), None)
    if not module:
        return None
    name = f"{MODULES[module]}_0"
    chain = [("reader_0", "Reader"), ("data_transform_0", "DataTransform"), ("intersection_0", "Intersection"), (name, module), ("evaluation_0", "Evaluation")]
    if {n: c.get("module") for n, c in components.items()} != dict(chain):
        raise ValueError(f"this STAND-IN for FATE-Flow trains with the chain {', '.join(n for n, _ in chain)} only")
    for (before, _), (component, _) in zip(chain, chain[1:]):
        sources = [s for values in components[component].get("input", {}).get("data", {}).values() for s in values]
        if sources != [f"{before}.{components[before]['output']['data'][0]}"]:
            raise ValueError(f"{component} reads {sources}, not the data of {before}")
    if module == "HeteroLR" and not conf["role"].get("arbiter"):
        raise ValueError("HeteroLR needs an arbiter")
    return {"kind": "train", "module": module, "component": name}


class Side:
    """One side of a job: its rows, its worker, and the way to the other side."""

    def __init__(self, job_id, role, conf, logger, address, session):
        self.job_id, self.role, self.logger, self.address, self.session = job_id, role, logger, address, session
        self.other_role = "host" if role == "guest" else "guest"
        self.other = conf["role"][self.other_role][0]
        self.parameters = conf.get("component_parameters", {}).get("role", {}).get(role, {}).get("0", {})

    def push(self, name, value):
        federation.push(self.other, f"{self.job_id}-{self.role}-{name}", [value], self.job_id)

    def take(self, name):
        return federation.take(f"{self.job_id}-{self.other_role}-{name}", 1)[0]

    def compute(self, do, **argument):
        return federation.worker(self.address, {"do": do, **argument}, self.session)["result"]

    def read(self):
        table = self.parameters["reader_0"]["table"]
        self.table = tables.read(table["namespace"], table["name"], self.role == "guest")

    def intersect(self):
        """Keeps the rows that both sides have."""
        ids, labels, rows = self.table
        hashes = [hashlib.sha256(i.encode()).hexdigest()[:32] for i in ids]
        self.push("ids", hashes)
        common = set(hashes) & set(self.take("ids"))
        kept = sorted((h, n) for n, h in enumerate(hashes) if h in common)
        self.logger.info("intersect_count %d of %d rows", len(kept), len(ids))
        self.labels = [labels[n] for _, n in kept] if labels else []
        self.kept = [rows[n] for _, n in kept]

    def load(self):
        """Gives the rows to the worker. An empty intersection is only noticed by what comes after it."""
        if not self.kept:
            raise ValueError(f"Count of data_instance is 0: {object.__repr__(self)}")
        self.compute("load", rows=self.kept)


def run(job_id, role, party, conf, work, component):
    name = work["component"]
    if role == "arbiter":
        if work["module"] == "HeteroLR":
            with component(name) as logger:
                logger.info("STAND-IN arbiter: keeps no key, since nothing is encrypted")
                if work["kind"] == "train":
                    models.save(models.model_id(conf["role"]), job_id, role, False, {})
        elif work["kind"] == "train":
            models.save(models.model_id(conf["role"]), job_id, role, False, {})
        return
    session = f"{job_id}_{name}_0_{role}_{party}"
    side = Side(job_id, role, conf, None, None, None)
    made = False
    try:
        with component("reader_0") as side.logger:  # each component of the real one has a session, the first one, too
            processors = sessions.make(job_id, session)
            made = True
            side.session = session
            side.address = f"{processors[0]['host']}:{processors[0]['port']}"
            side.read()
        for step, act in (("data_transform_0", lambda: None), ("intersection_0", side.intersect)):
            with component(step) as side.logger:
                act()
        with component(name) as side.logger:
            side.load()
            scores = train(side, conf, work) if work["kind"] == "train" else predict(
                side, models.load(work["model_id"], work["model_version"], role, True))
        if work["kind"] == "train" and role == "guest":
            with component("evaluation_0") as side.logger:
                evaluate(side, work, scores)
    finally:
        if made:
            federation.manager("v1/cluster-manager/session/stopSession", {"id": session})


def train(side, conf, work):
    parameters = conf["component_parameters"].get("common", {}).get(work["component"], {})
    learn = logistic if work["module"] == "HeteroLR" else boost
    model, scores = learn(side, parameters)
    models.save(models.model_id(conf["role"]), side.job_id, side.role, False, {"module": work["module"], "model": model})
    return scores


def evaluate(side, work, scores):
    value = auc(side.labels, scores)
    side.logger.info("evaluation_0: auc of %s is %r", work["component"], value)
    models.save_metrics(side.job_id, side.role, "evaluation_0", work["component"], [["auc", value]])


def predict(side, saved):
    replay = logistic_scores if saved["module"] == "HeteroLR" else boost_scores
    scores = replay(side, saved["model"], "predict")
    if side.role == "guest":
        side.logger.info("predicted %d rows, auc %r", len(scores), auc(side.labels, scores))


def logistic_scores(side, weights, name):
    """The scores of all rows, which only the guest learns."""
    own = side.compute("score", weights=weights)
    if side.role == "host":
        side.push(f"scores-{name}", own)
        return None
    return [a + b for a, b in zip(own, side.take(f"scores-{name}"))]


def logistic(side, parameters):
    rate, decay = parameters.get("learning_rate", 0.01), parameters.get("alpha", 1.0)
    weights = [0.0] * (side.compute("columns") + (side.role == "guest"))  # the guest has the intercept
    for turn in range(int(parameters.get("max_iter", 100))):
        scores = logistic_scores(side, weights, turn)
        if side.role == "guest":
            off = [sigmoid(s) - y for s, y in zip(scores, side.labels)]
            side.push(f"off-{turn}", off)
        else:
            off = side.take(f"off-{turn}")
        slope = side.compute("gradient", off=off, intercept=side.role == "guest")
        weights = [w - rate * (g + decay * w) for w, g in zip(weights, slope)]
    return weights, logistic_scores(side, weights, "last")


def boost(side, parameters):
    trees = []
    scores = None if side.role == "host" else [0.0] * len(side.labels)
    for turn in range(int(parameters.get("num_trees", 5))):
        if side.role == "guest":
            first = [sigmoid(s) - y for s, y in zip(scores, side.labels)]
            second = [max(1e-6, sigmoid(s) * (1 - sigmoid(s))) for s in scores]
            side.push(f"gradients-{turn}", [first, second])
            own, theirs = side.compute("divide", first=first, second=second), side.take(f"division-{turn}")
            mine = own["gain"] >= theirs["gain"]
            side.push(f"choice-{turn}", mine)
            left = own["left"] if mine else theirs["left"]
            leaves = [-BOOST_RATE * leaf(first, second, left, value) for value in (True, False)]
            trees.append({"mine": mine, "leaves": leaves, "column": own["column"], "bound": own["bound"]})
            scores = [s + leaves[0 if is_left else 1] for s, is_left in zip(scores, left)]
        else:
            first, second = side.take(f"gradients-{turn}")
            own = side.compute("divide", first=first, second=second)
            side.push(f"division-{turn}", {"gain": own["gain"], "left": own["left"]})
            trees.append({"mine": not side.take(f"choice-{turn}"), "column": own["column"], "bound": own["bound"]})
    return trees, scores


def boost_scores(side, trees, name):
    scores = None
    for turn, tree in enumerate(trees):
        left = side.compute("side", column=tree["column"], bound=tree["bound"]) if tree["mine"] else None
        if side.role == "host":
            if tree["mine"]:
                side.push(f"left-{name}-{turn}", left)
            continue
        left = left if tree["mine"] else side.take(f"left-{name}-{turn}")
        scores = scores or [0.0] * len(left)
        scores = [s + tree["leaves"][0 if is_left else 1] for s, is_left in zip(scores, left)]
    return scores


def leaf(first, second, left, side):
    chosen = [i for i, is_left in enumerate(left) if is_left == side]
    return sum(first[i] for i in chosen) / (sum(second[i] for i in chosen) + 1)


def sigmoid(x):
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))


def auc(labels, scores):
    """The share of pairs of a positive and a negative row that the scores put in the right order; ties count half."""
    ordered = sorted(zip(scores, labels))
    below = right = i = 0
    while i < len(ordered):
        j = i
        while j < len(ordered) and ordered[j][0] == ordered[i][0]:
            j += 1
        positive = sum(label for _, label in ordered[i:j])
        negative = j - i - positive
        right += positive * (below + negative / 2)
        below += negative
        i = j
    positives = sum(labels)
    return right / (positives * (len(labels) - positives))
