# What goes where: Note [Layout] in src/core/layout.h draws it, and src/core/layout.cpp and python/cortiscore/layout.py find it.
# Components: program, package, manifests and development below a prefix; wheel, which a prefix does without, is what
# scikit-build-core packs.
set(python_files FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed")
set(manifest_files FILES_MATCHING PATTERN "*.json" PATTERN "import_recordings.py" PATTERN "simulate_cortex.py")

# A build folder has the same shape, by links.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/cortiscore ${CMAKE_BINARY_DIR}/python)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/data_manifests ${CMAKE_BINARY_DIR}/share/cortiscore/manifests SYMBOLIC)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/python/cortiscore ${CMAKE_BINARY_DIR}/python/cortiscore SYMBOLIC)

# What pages are made of: our own parts, and Apache ECharts, which the package panel brings (its licence is the file's first lines).
execute_process(COMMAND ${Python3_EXECUTABLE} -c
  "import importlib.util as u, pathlib; print(next(pathlib.Path(u.find_spec('panel').origin).parent.glob('dist/bundled/echarts/echarts@*/dist/echarts.min.js')))"
  OUTPUT_VARIABLE echarts OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT EXISTS "${echarts}")
  message(FATAL_ERROR "The Python package panel, whose ECharts pages are drawn with: not found. Run ./dev setup.")
endif()
set(page_files ${PROJECT_SOURCE_DIR}/pages/profile.html ${PROJECT_SOURCE_DIR}/pages/profile.css ${PROJECT_SOURCE_DIR}/pages/profile.js
  ${PROJECT_SOURCE_DIR}/pages/NOTICE   ${echarts})
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/share/cortiscore/pages)
foreach(file ${page_files})
  get_filename_component(name ${file} NAME)
  file(CREATE_LINK ${file} ${CMAKE_BINARY_DIR}/share/cortiscore/pages/${name} SYMBOLIC)
endforeach()
install(FILES ${page_files} DESTINATION share/cortiscore/pages COMPONENT manifests)
install(FILES ${page_files} DESTINATION cortiscore/share/cortiscore/pages COMPONENT wheel EXCLUDE_FROM_ALL)

# Torch beside the package, in one environment; below a prefix without torch, the one that was built with.
set(torch_beside "$ORIGIN/../../torch/lib" "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/torch/lib")
if(CORTISCORE_CUDA)
  list(APPEND torch_beside "$ORIGIN/../../nvidia/cu13/lib" "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/nvidia/cu13/lib")
endif()
set(torch_built_with ${CORTISCORE_TORCH_ROOT}/lib)
if(SKBUILD)  # that torch is gone once the wheel is built
  set(torch_built_with)
endif()
set_target_properties(cortiscore PROPERTIES INSTALL_RPATH "${torch_beside};${torch_built_with}")
install(TARGETS cortiscore DESTINATION bin COMPONENT program)
install(TARGETS cortiscore DESTINATION cortiscore/bin COMPONENT wheel EXCLUDE_FROM_ALL)

if(TARGET _cortiscore)
  set_target_properties(_cortiscore PROPERTIES INSTALL_RPATH "$ORIGIN/../torch/lib;${torch_built_with}")
  install(TARGETS _cortiscore DESTINATION ${CORTISCORE_SITE_PACKAGES}/cortiscore COMPONENT package)
  install(TARGETS _cortiscore DESTINATION cortiscore COMPONENT wheel EXCLUDE_FROM_ALL)
endif()
install(DIRECTORY python/cortiscore DESTINATION ${CORTISCORE_SITE_PACKAGES} COMPONENT package ${python_files})
install(DIRECTORY python/cortiscore DESTINATION . COMPONENT wheel EXCLUDE_FROM_ALL ${python_files})

install(DIRECTORY data_manifests/ DESTINATION share/cortiscore/manifests COMPONENT manifests ${manifest_files})
install(DIRECTORY data_manifests/ DESTINATION cortiscore/share/cortiscore/manifests COMPONENT wheel EXCLUDE_FROM_ALL
  ${manifest_files})

if(TARGET cortiscore_shared)
  set_target_properties(cortiscore_shared PROPERTIES
    INSTALL_RPATH "$ORIGIN/../${CORTISCORE_SITE_PACKAGES}/torch/lib;${torch_built_with}")
  install(TARGETS cortiscore_shared EXPORT cortiscore COMPONENT development LIBRARY DESTINATION lib FILE_SET HEADERS
    DESTINATION include)
  install(EXPORT cortiscore NAMESPACE cortiscore:: FILE cortiscore-targets.cmake DESTINATION lib/cmake/cortiscore
    COMPONENT development)
  include(CMakePackageConfigHelpers)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/cortiscore-config-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES cmake/cortiscore-config.cmake cmake/LibTorch.cmake ${CMAKE_BINARY_DIR}/cortiscore-config-version.cmake
    DESTINATION lib/cmake/cortiscore COMPONENT development)
endif()
