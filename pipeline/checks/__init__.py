"""The parts of `prep check files`: what is recorded, what each file says, whether all agree."""
