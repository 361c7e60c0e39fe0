#pragma once
#include <functional>
#include <string>
#include <vector>

#include "src/engine/sweep.h"

namespace cortiscore::cli {

/// Takes items from stdin, one JSON object a line, and tells on stdout, one a line, that it is
/// ready and then how every pair ended. Ends with its stdin; is killed with its parent.
/// @throws Stopped
void serve_sweep(const Benchmarks& benchmarks, Workbench& workbench, Store& store, bool again);

/// A sweep by one process a device, each this process's command with `--worker DEVICE` and its
/// share of the threads. A process takes the next checkpoint when it has one left to do, so a slow
/// one holds nobody up. One that is killed, or crashes, is started again, and the pair that it had
/// in hand is recorded as failed: so one device has a process of its own too.
/// @param items    of items_left(); `state` is what it counted
/// @param devices  a worker each; a device named twice has two
/// @param each     told of every record of this run as soon as it is durable
/// @returns what became of all pairs; @throws Stopped  by a signal, which the workers are sent too
/// @throws Error  what ended a worker, with its exit code
SweepState sweep_by_workers(std::vector<SweepItem> items,
                            SweepState state,
                            const std::vector<std::string>& devices,
                            const Benchmarks& benchmarks,
                            Workbench& workbench,
                            Store& store,
                            const SweepOptions& options,
                            const std::function<void(const Json&, const SweepState&)>& each);

}  // namespace cortiscore::cli
