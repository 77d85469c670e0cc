// src/collection/repair.cpp — the course of it, IDENTITY, and the log.
#include "collection/repair.hpp"

#include "collection/file_copy.hpp"
#include "collection/holder.hpp"
#include "collection/layout.hpp"
#include "kith/core/error.hpp"
#include "kith/storage/file.hpp"
#include "kith/storage/log_writer.hpp"

#include <algorithm>
#include <limits>

namespace kith::inline v0::detail {

namespace {

constexpr double looking_share = 0.4;                    // of the time it takes
constexpr std::uint64_t longest_mended_identity = 8192;  // bytes

VerifyOptions everything() {
    VerifyOptions options;
    options.most_damages = std::numeric_limits<std::size_t>::max();
    return options;
}

/// `<name>.damaged-<number>` with the first number that is free.
std::filesystem::path name_to_keep(const std::filesystem::path& path) {
    for (int number = 1;; ++number) {
        const std::filesystem::path kept = path.string() + ".damaged-" + std::to_string(number);
        std::error_code error;
        if (!std::filesystem::exists(std::filesystem::symlink_status(kept, error))) return kept;
    }
}

}  // namespace

Repair::Repair(const std::filesystem::path& path, const RepairOptions& options, const LongCall& call,
               RepairReport& report)
    : path_(path),
      options_(options),
      call_(call),
      looking_{call.stop, call.deadline, {}},
      report_(report),
      found_(path, everything(), looking_) {
    if (call.progress) looking_.progress = [this](double done) { call_.progress(looking_share * done); };
}

void Repair::run() {
    found_.run();
    if (!found_.identity.has_value()) {
        identity_ = recover_identity();
        // What cannot be checked without it is checked now.
        const LongCall silent{call_.stop, call_.deadline, {}};
        Examination again(path_, everything(), silent);
        again.given_identity = identity_;
        again.run();
        found_ = std::move(again);
        found_.call = &looking_;
    } else {
        identity_ = *found_.identity;
    }
    if (found_.state.has_value() && found_.state->collection != identity_.id) {
        raise(Errc::corrupt, forward().string() + " (byte 0) belongs to another collection; put the right one back");
    }
    report_.before = found_.report;
    report_.kept = path_;
    if (found_.report.clean()) return;
    const Place destination = options_.in_place ? path_ : absolute_path(options_.destination);
    std::error_code error;
    if (!options_.in_place && std::filesystem::exists(std::filesystem::symlink_status(destination, error))) {
        raise(Errc::already_exists, destination.string() + " exists");
    }
    aside_.emplace(destination);
    for (const std::string_view folder : {log_folder, forward_folder, segments_folder}) {
        make_directory(aside_->path() / folder);
    }
    settle_state();
    settle_segments();
    write_tables();
    write_segments();
    name_lost();
    write_state();
    environment_.reset();
    write_log();
    write_identity(aside_->path(), identity_);
    static_cast<void>(File::create(aside_->path() / lock_name));  // WriterBarrier keeps nobody out without it
    call_.check(0.9);
    if (options_.in_place) {
        report_.kept = name_to_keep(path_);
        aside_->exchange(report_.kept);
    } else {
        aside_->publish();
    }
    report_.repaired = destination;
    report_.after = verify(destination);
}

/// A backup has the same, and a single bit that flipped is found by the checksum.
Identity Repair::recover_identity() {
    const Place file = path_ / identity_name;
    if (!options_.backup.empty()) {
        Identity identity = read_identity(options_.backup);
        if (found_.state.has_value() && found_.state->collection != identity.id) {
            raise(Errc::invalid_argument, options_.backup.string() + " is a backup of another collection");
        }
        report_.done.push_back("took IDENTITY from " + options_.backup.string());
        return identity;
    }
    std::string bytes;
    static_cast<void>(attempt([&] { bytes = read_whole_file(file, longest_mended_identity); }));
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        const auto flip = [&] {
            bytes[bit / 8] = static_cast<char>(static_cast<unsigned char>(bytes[bit / 8]) ^ (1U << (bit % 8)));
        };
        flip();
        std::optional<Identity> identity;
        static_cast<void>(attempt([&] { identity = decode_identity(bytes, file); }));
        flip();
        if (!identity.has_value()) continue;
        report_.done.push_back("turned bit " + std::to_string(bit % 8) + " of byte " + std::to_string(bit / 8) +
                               " of IDENTITY back, after which its checksums are right");
        return *identity;
    }
    raise(Errc::corrupt, file.string() +
                             " (byte 0) cannot be made again: only it names the fields of the records. Name " +
                             "a backup of the collection, which has the same");
}

/// Every batch up to the first that is lost, in one new file; what stands behind it is set aside.
void Repair::write_log() {
    const std::uint64_t applied = state_.applied_sequence;
    LogWriter writer(aside_->path() / log_folder, identity_.id, applied + 1);
    std::uint64_t first_aside = 0;
    std::uint64_t last_aside = 0;
    const auto take = [&](const LogRecord& record) {
        if (record.sequence <= applied) return;
        if (record.sequence == writer.next_sequence() && first_aside == 0) {
            call_.check(0.8);
            static_cast<void>(writer.append(record.kind, record.payload));
        } else {
            if (first_aside == 0) first_aside = record.sequence;
            last_aside = record.sequence;
        }
    };
    LogScan scan;
    const Place folder = path_ / log_folder;
    std::error_code error;
    if (std::filesystem::is_directory(folder, error)) scan = scan_log(folder, identity_.id, applied, take);
    writer.sync();
    for (const LogHole& hole : scan.holes) {
        if (hole.last < hole.first || hole.last <= applied) continue;
        report_.lost_batches.push_back(
            {std::max(hole.first, applied + 1), hole.last, false, hole.file, hole.offset, hole.bytes});
    }
    if (first_aside != 0) report_.lost_batches.push_back({first_aside, last_aside, true, folder.string(), 0, 0});
    if (writer.next_sequence() > applied + 1) {
        report_.done.push_back("kept batches " + std::to_string(applied + 1) + " to " +
                               std::to_string(writer.next_sequence() - 1) + " of the log");
    }
    if (first_aside != 0) {
        report_.done.push_back("set batches " + std::to_string(first_aside) + " to " + std::to_string(last_aside) +
                               " aside, which follow one that is lost; the damaged collection still has them");
    }
}

Repair::Place Repair::forward() const {
    return path_ / forward_folder / forward_file;
}

void Repair::put_file(const Place& from, const Place& name) {
    const Place to = aside_->path() / name;
    if (!link_file(from, to)) copy_file(from, to, call_, 0.7);
}

}  // namespace kith::inline v0::detail

namespace kith::inline v0 {

RepairReport repair(const std::filesystem::path& path, const RepairOptions& options, const LongCall& call) {
    if (options.in_place == !options.destination.empty()) {
        raise(Errc::invalid_argument,
              "a repair needs either a destination or in_place: the damaged collection is not changed unasked");
    }
    RepairReport report;
    const std::filesystem::path whole = detail::absolute_path(path);
    const detail::WriterBarrier barrier(whole);
    detail::Repair(whole, options, call, report).run();
    return report;
}

}  // namespace kith::inline v0
