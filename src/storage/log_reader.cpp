// src/storage/log_reader.cpp — replay, and the judgement of what stops it.
#include "kith/storage/log_reader.hpp"

#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "storage/log_file_reader.hpp"

#include <utility>

namespace kith::inline v0::detail {

namespace {

// After a sync that failed, the system may take what the disk lacks for written, and show it until it needs the memory:
// to acknowledge more behind it would be to acknowledge it behind a hole. What is read from here on is on the disk.
void make_certain(const LogFile& file) {
    File last = File::open_to_write(file.path);
    last.sync();
    last.forget_cached();
}

// Makes the file end with its last right record, on the disk.
void cut(const LogFile& file, const LogTail& torn_tail) {
    File last = File::open_to_write(file.path);
    last.truncate(torn_tail.offset);
    last.sync();
}

}  // namespace

ReplayResult replay_log(const std::filesystem::path& directory, const CollectionId& id, std::uint64_t after,
                        const LogVisitor& visit, ReplayMode mode) {
    ReplayResult result;
    result.last_sequence = after;
    const std::vector<LogFile> files = list_log_files(directory);
    const std::size_t first = first_needed_log_file(files, after, directory);
    std::uint64_t expected = files[first].first_sequence;
    if (mode == ReplayMode::recover) make_certain(files.back());
    for (std::size_t index = first; index < files.size(); ++index) {
        const bool is_last = index + 1 == files.size();
        LogFileReader reader(File::open_to_read(files[index].path), files[index], id);
        if (files[index].first_sequence != expected) {
            raise(Errc::corrupt, files[index].path.string() + " (byte 0): the log goes on with record " +
                                     std::to_string(files[index].first_sequence) + ", record " +
                                     std::to_string(expected) + " is missing");
        }
        while (const std::optional<LogRecord> record = reader.read(expected)) {
            if (record->sequence > after) {
                visit(record->sequence, record->kind, record->payload);
                result.last_sequence = record->sequence;
                ++result.records;
            }
            reader.pass(*record);
            ++expected;
        }
        if (reader.at_end()) continue;
        // A file was synced whole before the next one began.
        if (!is_last) reader.raise_damaged("record " + std::to_string(expected) + " is wrong");
        result.torn_tail = reader.tear(expected);
    }
    if (mode == ReplayMode::recover) {
        if (result.torn_tail.has_value()) cut(files.back(), *result.torn_tail);
        result.removed_files = remove_temporary_files(directory);
    }
    return result;
}

}  // namespace kith::inline v0::detail
