# GCC 12 warns of impossible std::string lengths after inlining (its bugs 105329, 105651): those three stay off.
# Warnings are errors on our own targets; Torch and the libraries come in as SYSTEM headers.
function(cortiscore_warnings target)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow -Wno-restrict
      -Wno-stringop-overflow -Wno-array-bounds -Werror>)
endfunction()
