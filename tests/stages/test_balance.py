"""Balance tells what it leaves out that somebody may have counted on."""

from conftest import write_params


def test_tiles_of_a_given_test_set_that_do_not_stay_are_counted(project, prep):
    """Bars are rarer than squares, and a quarter of both is the test set as given."""
    sources = [{"path": "raw/pictures", "layout": "whole"},
               {"path": "raw/test", "layout": "whole", "split": "test"}]  # fmt: skip
    write_params(project, sources=sources)
    for name, count in (("bar", 3), ("square", 9)):
        (project / "raw/test" / name).mkdir(parents=True)
        for number in range(count):
            picture = project / f"raw/pictures/{name}/{number:03}.png"
            picture.rename(project / f"raw/test/{name}/{number}.png")
    for number in range(3, 9):
        (project / f"raw/pictures/bar/{number:03}.png").unlink()
    for stage in ("ingest", "segment", "normalise"):
        assert prep(stage)[0] == 0
    code, printed, _ = prep("balance")
    kept = (project / "processed/balanced.csv").read_text()
    tested = {line.split(",")[0] for line in kept.splitlines()[1:]}
    said = " ".join(printed.split())
    catalogue = (project / "processed/catalogue.csv").read_text().splitlines()[1:]
    given = {f"{row.split(',')[3][:10]}-0" for row in catalogue if "raw/test" in row}
    lost = len(given - tested)
    assert (code, len(given)) == (0, 12)
    assert lost > 0
    assert f"; {lost} of 12 tiles of the test set as given do not (balance.method: none" in said
    write_params(project, sources=sources, balance={"method": "none"})
    assert "as given" not in prep("balance")[1]
