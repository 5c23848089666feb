"""Every threshold of the checks, with its reason.

Where a reason says "on real rows", these are medical-o1 rows: the checks whose remedy is to leave a
row out, and is advised, find nothing in them.
"""

from __future__ import annotations

EVIDENCE = 120
"""So many characters of what was found are shown at most."""

# --- Content ------------------------------------------------------------------------------------

ANSWER_LATIN = 12
ANSWER_CJK = 6
"""Shorter answers are terms ("yes", "anaemia") that a question may well contain without giving them
away. A Chinese character says about as much as two letters."""

OPENING = 200
"""A refusal is where an answer begins; later "I can't" is usually a patient speaking."""

SHORT_ANSWER = 40
"""Only an answer of at most so many characters can be very short, however few words it has."""

SHORT_WORDS = 2
SHORT_CJK = 4
"""An answer with fewer words, or fewer Chinese characters, teaches a label and not how to
answer."""

SHORT_REASONING = 20
"""Characters. Shorter than any sentence that gives a reason."""

LONG_LESSON = 32_768
"""Characters altogether: about 8,000 English or 20,000 Chinese tokens, four times the cutoff length
of 2,048 at which LLaMA-Factory starts, and longer than nearly all of what R1 writes."""

HAN_TEXT = 8
LATIN_TEXT = 40
"""So many characters or letters are needed to tell the language of a text: a lone drug name, or a
diagnosis in brackets, is none."""

HAN_PER_LATIN = 10
"""A text is Latin when it has more than ten letters for each Chinese character. It is Chinese when
it has less than two: laboratory reports in Chinese are half abbreviations."""

LATIN_RUN = 300
HAN_RUN = 20
"""Characters in a row. A dose scheme, the title of a paper or a guideline in English inside Chinese
text stays below 300; a Chinese term that is explained in English text stays below 20."""

# --- Loops --------------------------------------------------------------------------------------

LOOP_UNIT = 20
LOOP_TIMES = 4
"""What repeats has 20 characters, and does so four times in a row: three alike items of a list are
found in good answers, four are not."""

LOOP_SHARE = 0.3
"""Sentences that come four times, not in a row, are a loop when they make more of the text."""

LOOP_PERIOD = 800
"""Characters. What comes again after more of them is a summary."""

LOOP_PROBES = 6
LOOP_PROBES_SHORT = 8
"""A text is looked at in so many places (one of up to ``LOOP_PERIOD`` characters in eight), and at
its end. Of a loop that covers 30 % three quarters, less 20 characters, are places from which the
same words come again: more than the distance of two places. And a model that loops does so until
its end."""

# --- Duplicates ---------------------------------------------------------------------------------

SHINGLE = 3
"""Words (of Chinese: characters) in a row that are compared as one. With the two marks put before
and behind a question, one changed word changes three shingles wherever it stands, so that questions
below 35 words which differ in a word are never near duplicates at 0.85."""

SKETCH = 128
"""The smallest hashes that are kept of a question's shingles (a bottom-k sketch: A. Broder, "On the
resemblance and containment of documents", 1997). Questions of up to 126 words are compared exactly;
of longer ones the Jaccard similarity is estimated with a standard error below 0.032 at 0.85. 128 is
also datasketch's number of permutations."""

BOILERPLATE_SHARE = 0.05
BOILERPLATE_LEAST = 50
"""A shingle in more than 5 % of the questions, and in more than 50 (questions that differ in
numbers only count once), is the wording of the task ("which of the following is the most likely"),
says nothing about likeness, and is not counted."""

NEIGHBOURS = 32
"""Within the questions that share a rare shingle, each is compared with so many next ones in order
of length. All pairs of 10,000 questions made from one would be fifty million."""

NUMBERS = 64
"""A question with more numbers than this is a table: one of them more or less is found by its
shingles."""

# --- Overlap with an evaluation file ------------------------------------------------------------

COMMON_CHARACTERS = 64
"""Characters in a row in common, case and white space aside: the length that is enough to know a
sentence by, and more than any phrase of medicine."""

COMMON_WORDS = 13
"""Words in a row: the filter of GPT-3 (T. Brown et al., arXiv:2005.14165, appendix C)."""

COMMON_CJK = 26
"""Characters of Chinese in a row: a Chinese word has two on average, so this is 13 words. With 13
characters every second question of a textbook would be found ("患者男性，55岁，因反复胸痛入院")."""

EVALUATION_ROWS = 10
"""A piece that is in more rows of the evaluation file is boilerplate. GPT-3's filter leaves out
pieces that it finds in more than ten documents for the same reason."""
