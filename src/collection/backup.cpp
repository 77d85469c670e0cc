// src/collection/backup.cpp — checkpoint, segments and log to another directory.
#include "kith/collection/backup.hpp"

#include "collection/aside_folder.hpp"
#include "collection/file_copy.hpp"
#include "collection/holder.hpp"
#include "collection/layout.hpp"
#include "kith/collection/state_record.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/environment.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/identity.hpp"
#include "kith/storage/segment_file.hpp"
#include "kith/storage/system_error.hpp"
#include "storage/log_file_reader.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace kith::inline v0::detail {

namespace {

// Where the parts of a backup begin, as shares of the whole: nearly all bytes are vectors.
constexpr double forward_begins = 0.0;
constexpr double segments_begin = 0.2;
constexpr double log_begins = 0.9;

class Backup {
public:
    Backup(const std::filesystem::path& source, const Identity& identity, const std::filesystem::path& destination,
           const BackupOptions& options, const LongCall& call)
        : source_(source), identity_(identity), options_(options), call_(call), aside_(destination) {}

    BackupReport run(const Environment& environment);

private:
    void check_previous() const;
    StateRecord copy_forward(const Environment& environment);
    void copy_segment(std::uint32_t id, double done);
    void copy_immutable(const std::filesystem::path& name, double done);
    [[nodiscard]] static bool are_same(const std::filesystem::path& a, const std::filesystem::path& b);
    void copy_log(std::uint64_t after);
    void count_copy(std::uint64_t bytes) {
        ++report_.copied_files;
        report_.copied_bytes += bytes;
    }

    const std::filesystem::path& source_;
    const Identity& identity_;
    const BackupOptions& options_;
    const LongCall& call_;
    AsideFolder aside_;
    BackupReport report_;
};

BackupReport Backup::run(const Environment& environment) {
    check_previous();
    for (const std::string_view folder : {log_folder, forward_folder, segments_folder}) {
        make_directory(aside_.path() / folder);
    }
    const StateRecord state = copy_forward(environment);
    for (std::size_t i = 0; i < state.segments.size(); ++i) {
        const double share = static_cast<double>(i) / static_cast<double>(state.segments.size());
        copy_segment(state.segments[i].id, segments_begin + (log_begins - segments_begin) * share);
    }
    copy_log(state.applied_sequence);
    write_identity(aside_.path(), identity_);
    count_copy(encode_identity(identity_).size());
    static_cast<void>(File::create(aside_.path() / lock_name));  // WriterBarrier keeps nobody out without it
    call_.check(1.0);
    aside_.publish();
    return report_;
}

void Backup::check_previous() const {
    if (options_.previous.empty() || read_identity(options_.previous).id == identity_.id) return;
    raise(Errc::invalid_argument,
          options_.previous.string() + " is no backup of " + source_.string() + ": it is another collection's");
}

StateRecord Backup::copy_forward(const Environment& environment) {
    call_.check(forward_begins);
    const std::filesystem::path file = aside_.path() / forward_folder / forward_file;
    LongCall part = call_;
    part.progress = [&](double done) {
        if (call_.progress) call_.progress(forward_begins + (segments_begin - forward_begins) * done);
    };
    environment.copy_to(file, part);
    std::error_code error;
    count_copy(std::filesystem::file_size(file, error));
    call_.check(segments_begin);
    // What the copy holds, not what the collection does now.
    const Environment copy(file.parent_path(), EnvironmentMode::read_alone);
    const ReadTransaction transaction = copy.read();
    const auto bytes = transaction.state(state_name);
    if (!bytes.has_value()) raise(Errc::corrupt, file.string() + ": the state record is missing");
    return decode_state(*bytes, file);
}

void Backup::copy_segment(std::uint32_t id, double done) {
    const std::filesystem::path folder = std::filesystem::path(segments_folder) / segment_name(id);
    make_directory(aside_.path() / folder);
    std::error_code error;
    std::vector<std::filesystem::path> names;
    for (std::filesystem::directory_iterator entry(source_ / folder, error), end; !error && entry != end;
         entry.increment(error)) {
        if (entry->path().extension() != unfinished_ending) names.push_back(folder / entry->path().filename());
    }
    if (error) raise_system(error.value(), "list", source_ / folder);
    for (const std::filesystem::path& name : names) copy_immutable(name, done);
}

void Backup::copy_immutable(const std::filesystem::path& name, double done) {
    call_.check(done);
    const std::filesystem::path from = source_ / name;
    const std::filesystem::path to = aside_.path() / name;
    const std::filesystem::path earlier = options_.previous / name;
    const bool linked =
        link_file(from, to) || (!options_.previous.empty() && are_same(earlier, from) && link_file(earlier, to));
    if (linked) {
        ++report_.linked_files;
    } else {
        count_copy(copy_file(from, to, call_, done));
    }
}

/// Whether both are there and have the same length and header, which holds the checksum of all the rest.
bool Backup::are_same(const std::filesystem::path& a, const std::filesystem::path& b) {
    const File files[2] = {File::open_if_there(a), File::open_if_there(b)};
    if (!files[0].is_open() || !files[1].is_open() || files[0].size() != files[1].size()) return false;
    std::string headers[2];
    for (std::size_t i = 0; i < 2; ++i) {
        headers[i].resize(segment_payload_offset);
        headers[i].resize(files[i].read_at(0, headers[i].data(), headers[i].size()));
    }
    return headers[0].size() == segment_payload_offset && headers[0] == headers[1];
}

/// Every record, and of the last file no half one.
void Backup::copy_log(std::uint64_t after) {
    const std::vector<LogFile> files = list_log_files(source_ / log_folder);
    std::size_t index = first_needed_log_file(files, after, source_ / log_folder);
    std::uint64_t expected = files[index].first_sequence;
    for (; index < files.size(); ++index) {
        const LogFile& file = files[index];
        LogFileReader reader(File::open_to_read(file.path), file, identity_.id);
        if (file.first_sequence != expected) reader.raise_damaged("record " + std::to_string(expected) + " is missing");
        std::uint64_t bytes = log_header_bytes;
        while (const std::optional<LogRecord> record = reader.read(expected)) {
            reader.pass(*record);
            bytes += log_record_header_bytes + record->payload.size();
            ++expected;
        }
        const bool is_last = index + 1 == files.size();
        if (!is_last && !reader.at_end()) reader.raise_damaged("record " + std::to_string(expected) + " is wrong");
        // Behind the last whole record of the last file stands one that is being written, or damage.
        if (is_last && !reader.at_end()) static_cast<void>(reader.tear(expected));
        count_copy(copy_file(file.path, aside_.path() / log_folder / file.path.filename(), call_, log_begins, bytes));
    }
    report_.last_sequence = std::max(after, expected - 1);
}

}  // namespace

BackupReport backup_store(const std::filesystem::path& collection, const Identity& identity,
                          const Environment& environment, const std::filesystem::path& destination,
                          const BackupOptions& options, const LongCall& call) {
    const std::filesystem::path to = absolute_path(destination);
    const std::filesystem::path from = absolute_path(collection);
    const auto step = std::mismatch(from.begin(), from.end(), to.begin(), to.end());
    if (step.first == from.end()) {
        raise(Errc::invalid_argument, to.string() + " lies within the collection that is to be backed up");
    }
    return Backup(from, identity, to, options, call).run(environment);
}

}  // namespace kith::inline v0::detail

namespace kith::inline v0 {

BackupReport backup(const std::filesystem::path& collection, const std::filesystem::path& destination,
                    const BackupOptions& options, const LongCall& call) {
    const detail::Identity identity = detail::read_identity(collection);
    if (identity.engine != detail::Environment::engine_format()) {
        raise(Errc::unsupported_version, collection.string() + " was made with LMDB file format " +
                                             std::to_string(identity.engine) + "; this build has format " +
                                             std::to_string(detail::Environment::engine_format()));
    }
    const detail::WriterBarrier barrier(collection);
    const detail::Environment environment(collection / detail::forward_folder, detail::EnvironmentMode::read_alone);
    return detail::backup_store(collection, identity, environment, destination, options, call);
}

}  // namespace kith::inline v0
