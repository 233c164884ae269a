// The C callbacks that nghttp2 calls, which call members of H2Codec, and nghttp2's options. The tables are constant and
// shared by all threads. Internal to http/h2.
#pragma once

#include "http/h2/codec.h"

namespace albatross {

// Each callback calls the member of the codec that is `user`.
struct H2Callbacks {
  static H2Codec& self(void* user) { return *static_cast<H2Codec*>(user); }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* hd, void* u) {
    self(u).on_begin_frame(*hd);
    return 0;
  }
  static int begin_headers(nghttp2_session*, const nghttp2_frame* f, void* u) {
    self(u).on_begin_headers(*f);
    return 0;
  }
  static int header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t,
                    void* u) {
    nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
    const bool go_on =
        self(u).on_header({reinterpret_cast<char*>(n.base), n.len}, {reinterpret_cast<char*>(v.base), v.len});
    return go_on ? 0 : NGHTTP2_ERR_PAUSE;
  }
  // Refuses the head. nghttp2 would drop the field and go on, and the rest could mean something else.
  static int bad_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t, const std::uint8_t*,
                        std::size_t, std::uint8_t, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  static int frame(nghttp2_session*, const nghttp2_frame* f, void* u) {
    self(u).on_frame(*f);
    return 0;
  }
  static int data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* p, std::size_t n, void* u) {
    self(u).on_data(id, {reinterpret_cast<const char*>(p), n});
    return 0;
  }
  static int closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* u) {
    self(u).on_close(id, code);
    return 0;
  }
  static int sent(nghttp2_session*, const nghttp2_frame* f, void* u) {
    self(u).on_sent(*f);
    return 0;
  }
  static ssize_t read(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t room, std::uint32_t* flags,
                      nghttp2_data_source* source, void* u) {
    return self(u).read_data(*static_cast<WireStream*>(source->ptr), room, flags);
  }
  static int write(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t size,
                   nghttp2_data_source* source, void* u) {
    return self(u).write_data(header, *static_cast<WireStream*>(source->ptr), size);
  }

  static const nghttp2_session_callbacks* table() {
    static nghttp2_session_callbacks* const made = [] {
      nghttp2_session_callbacks* c = nullptr;
      nghttp2_session_callbacks_new(&c);
      nghttp2_session_callbacks_set_on_begin_frame_callback(c, begin_frame);
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, begin_headers);
      nghttp2_session_callbacks_set_on_header_callback2(c, header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(c, bad_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, data);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, sent);
      nghttp2_session_callbacks_set_send_data_callback(c, write);
      return c;
    }();
    return made;
  }

  static const nghttp2_option* options() {
    static nghttp2_option* const made = [] {
      nghttp2_option* o = nullptr;
      nghttp2_option_new(&o);
      nghttp2_option_set_no_auto_window_update(o, 1);
      nghttp2_option_set_max_send_header_block_length(o, 256 * 1024);
      nghttp2_option_set_stream_reset_rate_limit(o, 1'000'000, 1'000'000);  // off: H2Codec counts resets itself
      return o;
    }();
    return made;
  }
};

// The owner's stream with that identifier; null if it has none any more.
inline WireStream* stream_of(nghttp2_session* session, std::int32_t id) {
  return static_cast<WireStream*>(nghttp2_session_get_stream_user_data(session, id));
}

inline void submit_reset(nghttp2_session* session, std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, code);
}

}  // namespace albatross
