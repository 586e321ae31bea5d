# SPDX-License-Identifier: Apache-2.0
"""Each mutant of `./nexus mutants` breaks something: its text is in its file, and exactly once."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import mutants  # noqa: E402  (after the path)


class MutantTest(unittest.TestCase):
    def test_the_text_of_each_is_there_once(self) -> None:
        for part in mutants.PARTS:
            module = mutants.load(part)
            for mutant in module.MUTANTS:
                with self.subTest(part=part, mutant=mutant.name):
                    self.assertEqual((module.SUITE.folder / mutant.file).read_text().count(mutant.old), 1)
                    self.assertNotEqual(mutant.old, mutant.new)


if __name__ == "__main__":
    unittest.main()
