import torch

# Several test processes may share few cores, and threads that wait for each other cost more than they give.
torch.set_num_threads(1)
