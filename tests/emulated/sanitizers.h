#pragma once
#include <cstddef>

#ifdef CORTISCORE_EMULATED_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CORTISCORE_EMULATED_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
}
#endif

// What sanitizers cannot see by themselves: who runs on which stack, which memory is the device's,
// and what happens before what. ThreadSanitizer takes every fiber for a thread, and nothing orders
// two of them but launches and barriers, so that it finds races of any order. The emulator itself
// is compiled without sanitizers.
namespace cortiscore::emulated {

inline void happens_before([[maybe_unused]] void* event) {
#ifdef CORTISCORE_EMULATED_TSAN
  __tsan_release(event);
#endif
}

inline void happens_after([[maybe_unused]] void* event) {
#ifdef CORTISCORE_EMULATED_TSAN
  __tsan_acquire(event);
#endif
}

/// Memory that the emulator takes, fills or frees while this lives is no thread's access.
struct Unseen {
#ifdef CORTISCORE_EMULATED_TSAN
  Unseen() {
    __tsan_ignore_thread_begin();
  }
  ~Unseen() {
    __tsan_ignore_thread_end();
  }
#else
  Unseen() {}
#endif
};

/// Device memory is out of the host's reach but in copies and launches.
inline void reach([[maybe_unused]] void* begin,
                  [[maybe_unused]] size_t bytes,
                  [[maybe_unused]] bool open) {
#ifdef CORTISCORE_EMULATED_ASAN
  if (open) {
    __asan_unpoison_memory_region(begin, bytes);
  } else {
    __asan_poison_memory_region(begin, bytes);
  }
#endif
}

/// A stack beside the thread's own, as sanitizers are told of it.
struct Stack {
  static constexpr size_t kBytes = size_t{128} << 10;
  char* begin = nullptr;
  void* tsan = nullptr;
};

/// The stack that runs fibers, and switches from it and back. Each call stands right before or
/// right after the switch that it speaks of.
class HostStack {
 public:
  void before_entering([[maybe_unused]] const Stack& stack) {
#ifdef CORTISCORE_EMULATED_ASAN
    __sanitizer_start_switch_fiber(&fake_, stack.begin, Stack::kBytes);
#endif
#ifdef CORTISCORE_EMULATED_TSAN
    tsan_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(stack.tsan, 1);
#endif
  }
  void after_returning() {
#ifdef CORTISCORE_EMULATED_ASAN
    __sanitizer_finish_switch_fiber(fake_, nullptr, nullptr);
#endif
  }
  /// @param fake  what before_leaving gave; nullptr where a fiber begins
  void after_entering([[maybe_unused]] void* fake) {
#ifdef CORTISCORE_EMULATED_ASAN
    __sanitizer_finish_switch_fiber(fake, &begin_, &bytes_);
#endif
  }
  /// @param fake  nullptr where the fiber ends
  void before_leaving([[maybe_unused]] void** fake) {
#ifdef CORTISCORE_EMULATED_ASAN
    __sanitizer_start_switch_fiber(fake, begin_, bytes_);
#endif
#ifdef CORTISCORE_EMULATED_TSAN
    __tsan_switch_to_fiber(tsan_, 1);
#endif
  }

 private:
#ifdef CORTISCORE_EMULATED_ASAN
  void* fake_ = nullptr;
  const void* begin_ = nullptr;
  size_t bytes_ = 0;
#endif
#ifdef CORTISCORE_EMULATED_TSAN
  void* tsan_ = nullptr;
#endif
};

}  // namespace cortiscore::emulated
