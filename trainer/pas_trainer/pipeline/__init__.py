"""All stages in one command: curate, synthesise, train, export, evaluate."""
