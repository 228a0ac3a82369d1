"""Questions made by a grammar, in four languages, with answers computed by pandas from the exports of a simulated world.

    world    the exports, with notes planted in them, and the truth as frames
    saying   how people say values, times and filters
    tasks    the kinds of tasks: questions of one or several turns with what is expected of each
    judging  exact, declined, wrong or leaked

The phrasings are those of reps and managers and were written without the planner's vocabulary; what is expected uses neither
the planner nor the compilers of metrics.
"""
