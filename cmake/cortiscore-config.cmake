# find_package(cortiscore): the library cortiscore::cortiscore, with the torch of Python3_EXECUTABLE or CORTISCORE_TORCH_ROOT.
include(${CMAKE_CURRENT_LIST_DIR}/LibTorch.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/cortiscore-targets.cmake)
