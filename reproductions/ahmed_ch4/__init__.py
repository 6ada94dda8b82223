"""Ahmed (2017), chapter 4: generative models as models of normality."""
