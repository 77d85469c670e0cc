// src/collection/verify_log.cpp — the log since the last checkpoint.
#include "collection/examination.hpp"
#include "collection/layout.hpp"
#include "kith/collection/batch.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/log_format.hpp"

#include <algorithm>

namespace kith::inline v0::detail {

namespace {

std::string lost_records(const LogHole& hole, std::uint64_t applied) {
    if (hole.last < hole.first) return "no record is lost; it can be written again";
    if (hole.last <= applied) return "the last checkpoint holds what stood there";
    const std::uint64_t first = std::max(hole.first, applied + 1);
    std::string text = first == hole.last ? "batch " + std::to_string(first)
                                          : "batches " + std::to_string(first) + " to " + std::to_string(hole.last);
    return text + (first == hole.last ? " is lost" : " are lost");
}

}  // namespace

void examine_log(Examination& all) {
    const std::filesystem::path folder = all.path / log_folder;
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) {
        all.damage(DamageKind::missing_file, Loss::records, folder, 0, "the folder is missing",
                   "all batches since the last checkpoint are lost");
        return;
    }
    if (!all.identity.has_value()) {
        all.remark(DamageKind::log, folder, "not checked, for IDENTITY is damaged", {});
        return;
    }
    // Without the state record everything that the log holds is looked at.
    std::uint64_t applied = 0;
    if (all.state.has_value()) {
        applied = all.state->applied_sequence;
    } else {
        const std::vector<LogFile> files = list_log_files(folder);
        if (!files.empty()) applied = files.front().first_sequence - 1;
    }
    all.guard(DamageKind::log, Loss::records, folder, "what it holds is unknown", [&] {
        all.log = scan_log(folder, all.identity->id, applied, [&](const LogRecord& record) {
            if (record.kind != batch_kind) {
                raise(Errc::unsupported_version, folder.string() + ": the log holds records of kind " +
                                                     std::to_string(record.kind) + ", which this build does not know");
            }
            if (!all.schema.known() || read_batch(record.payload, all.schema.vector_bytes(), [](const Operation&) {}))
                return;
            all.damage(DamageKind::log, Loss::records, folder, 0,
                       "batch " + std::to_string(record.sequence) + " has a right checksum but cannot be read",
                       "it and what follows are lost");
        });
    });
    for (const LogHole& hole : all.log.holes) {
        const bool loses = hole.last >= hole.first && hole.last > applied;
        const bool is_missing = hole.bytes == 0 && hole.file == folder.string();
        all.damage(is_missing ? DamageKind::missing_file : DamageKind::log, loses ? Loss::records : Loss::derived,
                   hole.file, hole.offset, hole.what, lost_records(hole, applied));
    }
    all.report.files += all.log.files;
    all.report.bytes += all.log.bytes;
    all.report.logged_batches = all.log.records;
    all.report.last_sequence = std::max(applied, all.log.last_sequence);
    if (all.log.torn_tail.has_value() && !all.beside_writer) {
        all.report.torn_tail = TornTail{all.log.torn_tail->file, all.log.torn_tail->offset, all.log.torn_tail->bytes,
                                        all.log.torn_tail->whole};
    }
}

}  // namespace kith::inline v0::detail
