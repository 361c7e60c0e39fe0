"""Write the lists of upstream files into data_manifests/recordings: what `cortiscore data fetch` gets and checks.

    python data_manifests/name_upstream_files.py UPSTREAM.tsv

UPSTREAM.tsv has a row a file: dataset, repo (on GitHub), commit, path, bytes, sha256. What this script keeps of it is what
an import reads; the rest of each manifest (description, citation, licence, accepted copies) is written by hand and left
alone.
"""
import csv
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Recording: dataset of the table, then (pattern of the upstream path, where an import looks for it).
WANTED = {
    "Cowley2023": ("v4_cowley2023_macaque", [
        (r"data_V4_responses/images/(images_210325\.zip)", r"v4_cowley2023_macaque/images/\1"),
        (r"data_V4_responses/responses_raw/(responses_210325\.npy)", r"v4_cowley2023_macaque/responses/\1")]),
    "Henaff2021": ("v1_henaff2021_macaque", [
        (r"V1_responses/(ay.*\.mat)", r"v1_henaff2021_macaque/responses/\1"),
        (r"images/acute/stimulus_fullfield/(stimSelected-zoom[12]x/movie\d+/natural\d+\.png)", r"v1_henaff2021_macaque/stimuli/\1"),
        (r"images/acute/stimulus_fullfield/(stimSelected-zoom[12]x/movie\d+/synthetic(?:0[2-9]|10)\.png)",
         r"v1_henaff2021_macaque/stimuli/\1")]),
    "Kriegeskorte2008": ("kriegeskorte2008_92images", [
        (r"demos/92imageData/((?:92_brainRDMs|Kriegeskorte_Neuron2008_supplementalData)\.mat)", r"kriegeskorte2008_92images/\1")]),
    "Cichy2014": ("algonauts2019_cichy_fmri", [
        (r"input_data/brain_data/(92images/fmri_(?:EVC|IT)_RDMs\.npz)", r"algonauts2019_cichy_fmri/\1"),
        (r"input_data/stimuli_data/92images/(.*\.jpg)", r"algonauts2019_cichy_fmri/92images/stimuli/\1")]),
    "Geirhos2021": ("geirhos_texture_vs_shape", [
        (r"raw-data/((?:cue-conflict|edge|silhouette)/.*\.csv)", r"geirhos_texture_vs_shape/human_raw/\1"),
        (r"stimuli/((?:edges|filled-silhouettes)/.*\.png)", r"geirhos_texture_vs_shape/stimuli/\1"),
        (r"stimuli/style-transfer-preprocessed-512/(.*\.png)", r"geirhos_texture_vs_shape/stimuli/cue-conflict/\1")]),
}


def main():
    with open(sys.argv[1]) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for name, (dataset, patterns) in WANTED.items():
        path = HERE / "recordings" / f"{name}.json"
        manifest = json.loads(path.read_text())
        files, sources = [], {}
        for row in rows:
            for pattern, local in patterns:
                match = row["dataset"] == dataset and re.fullmatch(pattern, row["path"])
                if match:
                    sources[row["repo"]] = row["commit"]
                    files.append({"path": match.expand(local), "bytes": int(row["bytes"]), "sha256": row["sha256"],
                                  "repository": row["repo"], "upstream": row["path"]})
        manifest = {**{k: v for k, v in manifest.items() if k not in ("commits", "files")}, "commits": sources,
                    "files": sorted(files, key=lambda f: f["path"])}
        lines = json.dumps(manifest, indent=1).split('"files": [')[0]
        body = ",\n".join("  " + json.dumps(f) for f in manifest["files"])
        path.write_text(lines + '"files": [\n' + body + "\n ]\n}\n")
        print(f"{path}: {len(files)} files, {sum(f['bytes'] for f in files) / 2**20:.0f} MiB")


if __name__ == "__main__":
    main()
