// tests/fuzz/segment_file.cpp — a segment's file under its header: the payload that was written, or an error.
#include "fuzz/target.hpp"
#include "fuzz/temporary_file.hpp"

#include "kith/core/crc32c.hpp"
#include "kith/storage/segment_file.hpp"

namespace kith_fuzz {

namespace {

namespace store = kith::detail;

const store::SegmentFileTag tag{{1, 2, 3}, 5, 2};

void read(const std::string& bytes) {
    const auto path = folder() / "field.rows";
    kith_test::set_bytes(path, bytes);
    static_cast<void>(refuses([&] {
        const store::SegmentFile file(path, tag);
        const std::string_view payload(reinterpret_cast<const char*>(file.payload().data()), file.payload().size());
        claim(bytes.size() >= store::segment_payload_offset &&
                  payload == std::string_view(bytes).substr(store::segment_payload_offset),
              "the payload is what stands behind the header");
    }));
}

/// The input without the zeros of a header: 48 bytes, then the payload.
std::string whole(std::string_view bytes, bool right) {
    std::string file(bytes.substr(0, 48));
    file.resize(store::segment_payload_offset, '\0');
    if (bytes.size() > 48) file.append(bytes.substr(48));
    if (right) {
        file = with_number(file, 44, kith::crc32c(std::string_view(file).substr(store::segment_payload_offset)));
    }
    return with_number(file, 4092, kith::crc32c(std::string_view(file).substr(0, 4092)));
}

void attack(std::string_view bytes) {
    read(std::string(bytes));
    read(whole(bytes, false));
    read(whole(bytes, true));
}

std::vector<std::string> examples() {
    std::vector<std::string> made;
    for (const std::string& payload : {std::string(), std::string("payload"), std::string(300, 'p')}) {
        const auto path = folder() / "example.rows";
        store::write_segment_file(path, tag,
                                  [&](const store::ByteSink& sink) { sink(payload.data(), payload.size()); });
        made.push_back(kith_test::bytes_of(path).substr(0, 48) + payload);
    }
    return made;
}

}  // namespace

const Target segment_file_target{"segment_file", attack, examples};

}  // namespace kith_fuzz
