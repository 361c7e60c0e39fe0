#pragma once
#include <string>

#include "cortiscore/assembly.h"
#include "src/data/table.h"

namespace cortiscore {

/// Reads an assembly as xarray and BrainIO write them, NetCDF-4 or classic: one data variable
/// (src/data/stored.h says which), its dims by name, its coordinates every other variable along one
/// of them. Numbers are decoded as xarray decodes them (fill values are NaN, packed values are
/// unpacked) and become float32 or float64; text stays text.
/// @throws Error(kBadInput)  missing, truncated, without a data variable or with several, an axis
///                           without a name, or a coordinate of the wrong length
Assembly read_assembly(const std::string& path);

/// The same of any NetCDF or HDF5 file, where axes may have no name ("").
/// @param wanted  the variable, with its groups; "" for the one that holds the data
Assembly read_variable(const std::string& path, const std::string& wanted = "");

/// Reads a behavioural assembly as BrainIO writes it: one value a presentation (a choice, as text
/// or number), with its coordinates. A row a presentation; the values are the column `choice`,
/// numbers as text; an old `image_id` is
/// `stimulus_id`. @throws Error(kBadInput)  no such variable along one dim, or no presentation
Table read_presentations(const std::string& path);

/// Writes an assembly that xarray opens with the h5netcdf and the netcdf4 engine. The file becomes
/// visible whole or not at all: written beside its place, synced, then renamed. Checksummed by
/// fletcher32.
/// @throws Error(kBadInput)  a coordinate whose length differs from its dim's, or the file cannot
///                           be written
void write_assembly(const std::string& path, const Assembly& assembly);

}  // namespace cortiscore
