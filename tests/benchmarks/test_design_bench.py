from rlhf.benchmarks import design


def test_a_right_design_helps_and_the_opposite_does_not_before_any_answer() -> None:
    (row,) = design.measure("pendulum, upright calmly", "oracle", 0, (0,), design.SURE)["rows"]
    assert row["none"] == 0.5
    assert row["right"] > 0.9 > row["half right"] > 0.7
    assert row["opposite"] < 0.1


def test_the_summary_compares_every_arm_with_no_design() -> None:
    rows = [
        {"case": "a", "noise": "oracle", "seed": seed, "answers": 5}
        | {"none": 0.6, "right": 0.8 + 0.02 * seed, "half right": 0.6, "opposite": 0.5}
        for seed in range(2)
    ]
    (found,) = design.summarise(rows)
    assert found["seeds"] == 2
    assert abs(found["gain"]["right"]["mean"] - 0.21) < 1e-9
    assert found["gain"]["opposite"]["mean"] < 0.0
    header, line = design.text_rows({"cases": [found]})
    assert len(header) == len(line)
