// Counts the bytes that a process copies over the bus, by CUPTI's activity records, into the file
// that CORTISCORE_BUS_BYTES names: {"host_to_device": ..., "device_to_host": ..., "copies": ...}.
// The CUDA driver loads it into any program (CUDA_INJECTION64_PATH): tests/gpu/check_scores.py.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <cupti.h>

namespace {

std::atomic<uint64_t> to_device{0}, to_host{0}, copies{0}, dropped{0};
CUptiResult first_error = CUPTI_SUCCESS;

void keep(CUptiResult result) {
  if (first_error == CUPTI_SUCCESS) first_error = result;
}

void CUPTIAPI buffer_asked_for(uint8_t** buffer, size_t* size, size_t* max_records) {
  constexpr size_t kBytes = size_t{8} << 20;
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(8, kBytes));
  *size = *buffer ? kBytes : 0;
  *max_records = 0;
}

void CUPTIAPI
buffer_full(CUcontext context, uint32_t stream, uint8_t* buffer, size_t /*size*/, size_t valid) {
  CUpti_Activity* record = nullptr;
  while (cuptiActivityGetNextRecord(buffer, valid, &record) == CUPTI_SUCCESS) {
    if (record->kind != CUPTI_ACTIVITY_KIND_MEMCPY) continue;
    const auto* const copy = reinterpret_cast<const CUpti_ActivityMemcpy6*>(record);
    ++copies;
    if (copy->copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_HTOD) to_device += copy->bytes;
    if (copy->copyKind == CUPTI_ACTIVITY_MEMCPY_KIND_DTOH) to_host += copy->bytes;
  }
  size_t lost = 0;
  keep(cuptiActivityGetNumDroppedRecords(context, stream, &lost));
  dropped += lost;
  std::free(buffer);
}

void write_counts() {
  keep(cuptiActivityFlushAll(1));
  const char* const path = std::getenv("CORTISCORE_BUS_BYTES");
  std::FILE* const file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  const char* error = "";
  if (first_error != CUPTI_SUCCESS) cuptiGetResultString(first_error, &error);
  std::fprintf(file,
               "{\"host_to_device\": %llu, \"device_to_host\": %llu, \"copies\": %llu, "
               "\"dropped\": %llu, \"error\": \"%s\"}\n",
               static_cast<unsigned long long>(to_device), static_cast<unsigned long long>(to_host),
               static_cast<unsigned long long>(copies), static_cast<unsigned long long>(dropped),
               error);
  std::fclose(file);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjection() {
  keep(cuptiActivityRegisterCallbacks(buffer_asked_for, buffer_full));
  keep(cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY));
  std::atexit(write_counts);
  return 1;
}
