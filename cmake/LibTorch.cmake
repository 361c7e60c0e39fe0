# The LibTorch inside the installed torch wheel, as two targets:
#   Torch::cpu   libtorch_cpu + libc10; no CUDA toolkit needed to configure or link
#   Torch::cuda  the above + libtorch_cuda + libc10_cuda
# The installed find_package(cortiscore) includes this file too.
# find_package(Torch) is not used: it enables CUDA itself, edits CMAKE_CUDA_FLAGS, fails with CMake 3.25 under
# C++20, and puts the wheel's own fmt in front of the system's.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
if(NOT CORTISCORE_TORCH_ROOT)
  execute_process(COMMAND ${Python3_EXECUTABLE} -c
    "import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec('torch').origin).parent)"
    OUTPUT_VARIABLE torch_root OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(CORTISCORE_TORCH_ROOT ${torch_root} CACHE PATH "Folder of the installed torch package")
endif()
file(STRINGS ${CORTISCORE_TORCH_ROOT}/version.py torch_version REGEX "__version__")
if(NOT torch_version MATCHES "2\\.11\\.0")
  message(FATAL_ERROR "${CORTISCORE_TORCH_ROOT}: found ${torch_version}, expected torch 2.11.0. Run ./dev setup, or set "
    "Python3_EXECUTABLE to a Python that has it, or CORTISCORE_TORCH_ROOT to its folder.")
endif()

function(cortiscore_torch_library name)
  add_library(Torch::${name} SHARED IMPORTED GLOBAL)
  set_target_properties(Torch::${name} PROPERTIES
    IMPORTED_LOCATION ${CORTISCORE_TORCH_ROOT}/lib/lib${name}.so IMPORTED_NO_SONAME ON)
endfunction()

cortiscore_torch_library(c10)
cortiscore_torch_library(torch_cpu)
add_library(Torch::cpu INTERFACE IMPORTED GLOBAL)
target_include_directories(Torch::cpu SYSTEM INTERFACE ${CORTISCORE_TORCH_ROOT}/include)
# libtorch_cpu finds its CUDA runtime through its own RPATH or the system's; the linker need not follow it there.
target_link_libraries(Torch::cpu INTERFACE Torch::torch_cpu Torch::c10 -Wl,--allow-shlib-undefined)

if(CORTISCORE_CUDA)
  cortiscore_torch_library(c10_cuda)
  cortiscore_torch_library(torch_cuda)
  add_library(torch_cuda_if INTERFACE)
  # Nothing calls libtorch_cuda by symbol; loading it is what registers the CUDA half of every operator. The toolkit's headers
  # are for the few files that use them alone: all others compile as in a build without CUDA, and ccache has them from there.
  target_link_libraries(torch_cuda_if INTERFACE Torch::cpu Torch::c10_cuda
    "-Wl,--no-as-needed,${CORTISCORE_TORCH_ROOT}/lib/libtorch_cuda.so,--as-needed" $<LINK_ONLY:CUDA::cudart>)
  add_library(Torch::cuda ALIAS torch_cuda_if)
endif()
