// kith/collection/verify.hpp — whether every byte of a stored collection is as it was written.
//
// Nothing is opened for writing, nothing is mapped that damage could make a trap, and LMDB is not asked: its file is
// read as plain bytes, page by page. So a damaged collection is described, never touched, and cannot end the program.
//
// Thread safety: any number of threads.
#pragma once

#include "kith/collection/recovery.hpp"
#include "kith/core/long_call.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kith::inline v0 {

/// The part of a collection that is damaged.
enum class DamageKind : std::uint8_t {
    identity,         ///< the file IDENTITY
    log,              ///< the batches since the last checkpoint
    forward,          ///< the pages of forward/data.mdb that lead to its tables, or count its free pages
    rows,             ///< the fields of records
    keys,             ///< where each key leads
    state,            ///< what the last checkpoint holds
    delete_bitmap,    ///< which slots of a segment are deleted
    segment_rows,     ///< the vectors of a segment
    segment_graph,    ///< what finds them fast
    segment_keys,     ///< the keys of a segment in order
    segment_scalars,  ///< columns and indexes of a segment's scalar fields
    missing_file,     ///< a file or folder that should be there
    leftover,         ///< a file or folder that nothing names
};

/// The name of a kind, as it stands in the enumeration.
[[nodiscard]] std::string_view name(DamageKind kind) noexcept;

/// What becomes of the records.
enum class Loss : std::uint8_t {
    nothing,  ///< the collection opens and answers as if it were not there
    derived,  ///< what is damaged can be made again, wholly, from what is not
    records,  ///< records, or changes of records, are lost unless a backup has them
};

/// One thing that is not as it should be.
struct Damage {
    DamageKind kind = DamageKind::log;
    Loss loss = Loss::records;
    std::string file;          ///< or folder
    std::uint64_t offset = 0;  ///< where in the file; 0 when it concerns all of it
    std::string what;          ///< what stands there, and what was expected
    std::string consequence;   ///< what is lost, or what it can be made again from
};

enum class VerifyDepth : std::uint8_t {
    quick,  ///< every byte but those of vectors and graphs
    deep,   ///< every byte
};

struct VerifyOptions {
    VerifyDepth depth = VerifyDepth::deep;
    std::size_t most_damages = 1000;  ///< more are counted, not listed
};

struct VerifyReport {
    std::vector<Damage> damages;        ///< none when the collection is sound
    std::vector<Damage> remarks;        ///< what does no harm: leftovers, a graph that a merge will build again
    std::uint64_t not_listed = 0;       ///< damages past VerifyOptions::most_damages
    std::optional<TornTail> torn_tail;  ///< the log ends in a write that was in flight; opening cuts it off
    std::string writer;                 ///< who writes to it, "process 1234 on host since …"; empty when nobody does
    std::uint64_t files = 0;            ///< that were checked
    std::uint64_t bytes = 0;            ///< that were checked
    std::uint64_t records = 0;          ///< of the last checkpoint, erased ones left out
    std::uint64_t logged_batches = 0;   ///< of the log
    std::uint64_t last_sequence = 0;    ///< number of the newest batch that can be read

    [[nodiscard]] bool clean() const noexcept { return damages.empty() && not_listed == 0; }
};

/// Checks the collection at `path`. Beside a writer, the last checkpoint and the log as they are found are checked;
/// the end of the log may then be half written, and what looks damaged is looked at again before it is reported.
/// Throws: Errc::not_found, Errc::not_a_collection; Errc::unsupported_version; Errc::cancelled, Errc::timed_out; what
/// the progress callback throws. Nothing is ever changed.
/// Cost: one pass over the bytes, 8 bytes of memory a record, and the longest row and log record.
[[nodiscard]] VerifyReport verify(const std::filesystem::path& path, const VerifyOptions& options = {},
                                  const LongCall& call = {});

}  // namespace kith::inline v0
