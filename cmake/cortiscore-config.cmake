# find_package(cortiscore): the library cortiscore::cortiscore, with the torch of Python3_EXECUTABLE or CORTISCORE_TORCH_ROOT.
include(${CMAKE_CURRENT_LIST_DIR}/LibTorch.cmake)
# Of <torch/torch.h>, which training loops include.
target_include_directories(Torch::cpu SYSTEM INTERFACE ${CORTISCORE_TORCH_ROOT}/include/torch/csrc/api/include)
include(${CMAKE_CURRENT_LIST_DIR}/cortiscore-targets.cmake)
